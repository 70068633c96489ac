"""A server of the hub's shape on this computer: redirects with the linked size and hash, ranges, and what can go wrong."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.support.toys import FAR_TOO_LONG

CONTENT = bytes(range(256)) * 12_000  # about 3 MB
REPO, FILE = "painter/oils", "sub/oils.safetensors"
PATH = f"/{REPO}/resolve/main/{FILE}"


@dataclass
class Hub:
    """What the server does, and what it was asked."""

    content: bytes = CONTENT
    linked: str = hashlib.sha256(CONTENT).hexdigest()
    stored_type: str = "application/octet-stream"
    location: str = "/store/0123?signature=x"
    status: int = 302
    breaks_after: list[int] = field(default_factory=list)  # bytes of each answer, after which the connection ends
    honours_ranges: bool = True
    asked: list[tuple[str, str, str]] = field(default_factory=list)  # (method, path, range)
    address: str = ""
    pause: threading.Event = field(default_factory=threading.Event)  # cleared: the file's bytes wait for it
    before_pause: int = 0  # bytes that are sent all the same
    others: dict[str, bytes] = field(default_factory=dict)  # "owner/name/file" -> content: more files, all of them honest

    def offer(self, repo: str, path: str, content: bytes) -> None:
        self.others[f"{repo}/{path}"] = content

    def __post_init__(self) -> None:
        self.pause.set()


class Handler(BaseHTTPRequestHandler):
    hub: Hub

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self) -> None:
        self.hub.asked.append((self.command, self.path, self.headers.get("Range", "")))
        self._store() if self.path.startswith("/store/") else self._resolve()

    def _resolve(self) -> None:
        repo, _, file = self.path.removeprefix("/").partition("/resolve/main/")
        other = self.hub.others.get(f"{repo}/{file}")
        known = self.path == PATH or other is not None
        content = self.hub.content if other is None else other
        linked = self.hub.linked if other is None else hashlib.sha256(other).hexdigest()
        self.send_response(self.hub.status if known else 404)
        if known:
            self.send_header("Location", self.hub.location if other is None else f"/store/{repo}/{file}")
            self.send_header("X-Linked-Size", str(len(content)))
            self.send_header("X-Linked-Etag", f'"{linked}"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _store(self) -> None:
        content = self.hub.others.get(self.path.removeprefix("/store/"), self.hub.content)
        asked = self.headers.get("Range", "") if self.hub.honours_ranges else ""
        begin = int(asked.removeprefix("bytes=").rstrip("-") or 0)
        body = content[begin:]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Type", self.hub.stored_type)
        self.send_header("Content-Length", str(len(body)))
        if asked:
            self.send_header("Content-Range", f"bytes {begin}-{len(content) - 1}/{len(content)}")
        self.end_headers()
        if self.command == "GET":
            self._send(body[: self.hub.breaks_after.pop(0)] if self.hub.breaks_after else body)

    def _send(self, body: bytes) -> None:
        early = 0 if self.hub.pause.is_set() else self.hub.before_pause
        self.wfile.write(body[:early])
        self.wfile.flush()
        self.hub.pause.wait(FAR_TOO_LONG)
        with suppress(ConnectionError):  # who asked may have gone
            self.wfile.write(body[early:])


@contextmanager
def running_hub() -> Iterator[Hub]:
    """Whoever asks must not go through a proxy: `no_proxy` is to name 127.0.0.1."""
    state = Hub()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("ThisHub", (Handler,), {"hub": state}))
    state.address = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield state
    server.shutdown()
    server.server_close()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with running_hub() as state:
        yield state
