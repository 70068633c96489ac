"""Encryption: one port for HTTPS from everywhere and for HTTP from this machine itself, where nobody in between can listen.

A connection shows by its first byte what it speaks. Who comes from elsewhere in the clear is led to https; nothing else is told to them.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING, cast

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from ui.door.addresses import is_loopback
from ui.door.bodies import Refused, refuse
from ui.door.connection import Connection, Deadlines
from ui.door.connection_limits import ConnectionLimits
from ui.gradio_types import Keyword

if TYPE_CHECKING:
    from ui.door.certificate import Certificate

HANDSHAKE = 0x16  # the first byte of TLS, the type of a record (RFC 8446, 5.1); no request of HTTP begins so
ENCRYPTED_ONLY = (
    "The studio is reached by https alone. A proxy on another computer speaks https to it as well, or the studio is started with "
    "--plain-http."
)


class Encrypted(Connection):
    """A connection that speaks TLS or is in the clear. Its deadlines begin when it does, so a handshake that trickles in ends too."""

    def __init__(self, certificate: Certificate, crowd: ConnectionLimits, deadlines: Deadlines, **given: Keyword) -> None:
        super().__init__(crowd, deadlines, **given)
        self._certificate = certificate
        self._below: asyncio.Transport | None = None  # what carries the encrypted bytes
        self._handshake: asyncio.Task[None] | None = None
        self._begun = self._lost = False
        self._early = b""  # of a request that came with the last message of the handshake

    @property
    def unsent(self) -> int:
        return super().unsent + (self._below.get_write_buffer_size() if self._below else 0)

    def data_received(self, data: bytes) -> None:
        if self._lost:
            return
        if self._handshake:
            self._early += data
        elif self._begun or self.is_refused or data[0] != HANDSHAKE:
            self._begun = True
            super().data_received(data)
        else:
            self._begun = True
            self._secure(data)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._lost:
            self._lost = True
            super().connection_lost(exc)

    def _secure(self, first: bytes) -> None:
        self.transport.pause_reading()
        self._handshake = self.loop.create_task(self._shake_hands(self.transport))
        # The task's first step puts another protocol in place and has it begin a turn later; what we have read already comes right behind.
        self.loop.call_soon(self.loop.call_soon, _feed, self.transport, first)

    async def _shake_hands(self, below: asyncio.Transport) -> None:
        context = self._certificate.context(str((self.server or ("",))[0]))
        head, late = self.deadlines.head, self.deadlines.late
        try:
            secured = await self.loop.start_tls(
                below, self, context, server_side=True, ssl_handshake_timeout=head, ssl_shutdown_timeout=late
            )
        except (OSError, ssl.SSLError) as error:  # a browser hangs up here to ask whether to trust the certificate
            self.connection_lost(error)
            return
        if secured is None or self._lost or secured.is_closing():
            self.connection_lost(ConnectionResetError())
            return
        self._below = below
        H11Protocol.connection_made(self, secured)  # once more, with what encrypts; the place among all is taken already
        early, self._early, self._handshake = self._early, b"", None
        if early:
            super().data_received(early)


def _feed(below: asyncio.Transport, data: bytes) -> None:
    """Bytes that were read before the protocol was there that they are for."""
    protocol = cast(asyncio.BufferedProtocol, below.get_protocol())
    while data and not below.is_closing():
        room = memoryview(protocol.get_buffer(len(data)))
        count = min(len(room), len(data))
        room[:count] = data[:count]
        protocol.buffer_updated(count)
        data = data[count:]


class InTheClear:
    """Middleware behind the guard: what comes from elsewhere unencrypted is led to https, or refused where that leads nowhere."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["arrived"] == "https" or is_loopback(str((scope["peer"] or ("",))[0])):
            await self.app(scope, receive, send)
        elif scope["method"] in ("GET", "HEAD") and not scope["forwarded"] and "published" not in scope:
            await _lead(scope, send)
        else:
            await refuse(Refused(403, ENCRYPTED_ONLY), scope, receive, send)


async def _lead(scope: Scope, send: Send) -> None:
    query = b"?" + scope["query_string"] if scope["query_string"] else b""
    address = b"https://" + Headers(scope=scope)["host"].encode() + scope["raw_path"] + query
    # Not for good: a browser would keep it for when the studio is started with --plain-http.
    headers = [(b"location", address), (b"content-length", b"0"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 307, "headers": headers})
    await send({"type": "http.response.body", "body": b""})
