"""A small reverse proxy, as people put one in front of the studio: one connection at a time to the studio, bytes passed on as they come."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Proxy:
    """How it passes requests on."""

    upstream: int = 0  # port of the studio
    port: int = 0
    below: str = ""  # a path: only what is below it is passed on
    strips: bool = True  # takes the path away, as nginx does with a slash behind proxy_pass and Caddy with handle_path
    passes_host: bool = True  # proxy_set_header Host $host
    tells_address: str = "203.0.113.7"  # X-Forwarded-For; empty: nothing is added
    scheme: str = "http"  # X-Forwarded-Proto

    def head(self, head: bytes) -> bytes | None:
        """The head of a request as it is passed on; None for what is not below the path."""
        first, *lines = head.decode("latin-1").split("\r\n")
        method, path, version = first.split(" ")
        if not (path + "/").startswith(self.below + "/"):
            return None
        passed = path.removeprefix(self.below) or "/" if self.strips else path
        dropped = ("connection", "") if self.passes_host else ("connection", "host", "")
        kept = [line for line in lines if line.split(":")[0].lower() not in dropped]
        added = ["Connection: close", *([] if self.passes_host else [f"Host: 127.0.0.1:{self.upstream}"])]
        if self.tells_address:
            added += [f"X-Forwarded-For: {self.tells_address}", f"X-Forwarded-Proto: {self.scheme}"]
        return "\r\n".join([f"{method} {passed} {version}", *kept, *added, "", ""]).encode("latin-1")

    async def pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = self.head(await reader.readuntil(b"\r\n\r\n"))
            if head is None:
                writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            else:
                there, back = await asyncio.open_connection("127.0.0.1", self.upstream)
                back.write(head)
                sending = asyncio.create_task(_pipe(reader, back))
                await _pipe(there, writer)
                sending.cancel()
                back.close()
        writer.close()


async def _pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()


@contextmanager
def running_proxy(proxy: Proxy) -> Iterator[Proxy]:
    """Serves in a thread of its own; the proxy that is given back knows its port."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)  # Playwright has a loop in this one
    thread.start()
    serving = asyncio.start_server(proxy.pass_on, "127.0.0.1", proxy.port)
    server = asyncio.run_coroutine_threadsafe(serving, loop).result(10)
    try:
        yield replace(proxy, port=server.sockets[0].getsockname()[1])
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(5)
