"""The server around the application: its socket, its connections, its beginning and its end."""

from __future__ import annotations

import asyncio
import functools
import socket
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import uvicorn
from fastapi import FastAPI

from models.errors import UserError
from ui.door.connection import Connection, Deadlines
from ui.door.connection_limits import ConnectionLimits, Room, file_limit
from ui.door.encryption import Encrypted

if TYPE_CHECKING:
    from ui.door.certificate import Certificate

A_TURN = 8  # connections that are accepted at once. asyncio tries as often when there are no more files, and logs each
WAITING = 512  # connections that the system keeps until they are accepted
TICKS = 10  # of uvicorn's, in a second

NOT_AN_ADDRESS = (
    "--host {host} is no address or name of this computer. --host takes one of its own addresses, or 0.0.0.0 for all of them. "
    "A name under which a proxy or a router shows the studio goes to --public-url https://NAME."
)


def open_socket(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `UserError` when the address or the port is not to be had."""
    if not 0 <= port < 65_536:
        raise UserError("--port takes a number from 1 to 65535, or 0 for a free one.")
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError, OverflowError) as error:
        raise UserError(NOT_AN_ADDRESS.format(host=host[:100])) from error
    family, _, _, _, address = min(found, key=lambda one: one[0] != socket.AF_INET)  # “localhost” is 127.0.0.1 before it is ::1
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(WAITING)
    except (OSError, OverflowError) as error:
        listener.close()
        raise UserError(_why_not(host, port, error)) from error
    return listener


def _why_not(host: str, port: int, error: Exception) -> str:
    if getattr(error, "errno", None) in (99, 49, 10049):  # EADDRNOTAVAIL on Linux, macOS, Windows
        return NOT_AN_ADDRESS.format(host=host[:100])
    why = getattr(error, "strerror", "") or "no such port"
    return f"The studio cannot open {host} port {port} ({why}). Choose another with --port."


class _Server(uvicorn.Server):
    """Tells when the page can be opened, counts how long connections last, and sends the waiting long-polls home before it closes."""

    def __init__(self, app: FastAPI, config: uvicorn.Config, crowd: ConnectionLimits, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._closing: asyncio.Event = app.state.closing
        self._crowd, self._ready = crowd, ready
        self._last = 0.0

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listener in sockets or []:
            listener.listen(WAITING)  # uvicorn has given the system the short turn of asyncio
        self._last = asyncio.get_running_loop().time()
        if self.started:
            self._ready()

    async def on_tick(self, counter: int) -> bool:
        if counter % TICKS == 0:
            now = asyncio.get_running_loop().time()
            # A loop that was held up has read nothing meanwhile; that is not the clients' time.
            seconds, self._last = min(now - self._last, 2.0), now
            for connection in self._crowd.everybody():
                cast(Connection, connection).elapse(seconds)
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._closing.set()
        await super().shutdown(sockets)


def serve(
    app: FastAPI,
    host: str,
    port: int,
    ready: Callable[[int], None] = lambda port: None,
    proxies: Collection[str] = (),
    deadlines: Deadlines | None = None,
    certificate: Certificate | None = None,
) -> None:
    """Serves until Ctrl+C or SIGTERM, then closes within about two seconds. Calls `ready` with the real port once it answers.

    `proxies`: addresses that speak for many people. `certificate`: HTTPS is spoken as well, at the same port. Raises `UserError` when the
    address is taken.
    """
    listener = open_socket(host, port)
    crowd = ConnectionLimits(Room.of_files(file_limit()), proxies)
    spoken = functools.partial(Encrypted, certificate) if certificate else Connection
    protocol = functools.partial(spoken, crowd, deadlines or Deadlines())
    config = uvicorn.Config(
        app,
        # h11: it keeps an absolute address in the request line visible, and refuses two Host headers.
        http=cast(type[asyncio.Protocol], protocol),
        ws="none",
        proxy_headers=False,
        server_header=False,
        access_log=False,
        log_config=None,
        log_level="warning",
        backlog=A_TURN,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=65_536,
    )
    server = _Server(app, config, crowd, lambda: ready(listener.getsockname()[1]))
    with suppress(KeyboardInterrupt):  # uvicorn closes first and raises afterwards
        server.run(sockets=[listener])
