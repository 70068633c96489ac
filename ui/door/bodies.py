"""Request bodies: how much of one is taken, and how long one waits for it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send

PATIENCE = 60.0  # seconds without a byte of an announced body


class Refused(Exception):
    """A request that goes no further, with the status and the sentence of its answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


@dataclass(frozen=True)
class Limits:
    json: int = 2 * 2**20  # bytes of one JSON body
    upload: int = 64 * 2**20  # bytes of one upload request, all its files together
    form: int = 16_384  # bytes of a login form


class Counted:
    """The two ends of an upload. Past the limit the application sees the client leave, and its answer goes nowhere."""

    def __init__(self, headers: Headers, receive: Receive, send: Send, limit: int) -> None:
        _check_length(headers, limit)
        self._receive, self._send, self._limit, self._seen = receive, send, limit, 0
        self.refusal: Refused | None = None

    async def receive(self) -> Message:
        try:
            message = await _patiently(self._receive)
        except Refused as refusal:
            self.refusal = refusal
        else:
            self._seen += len(message.get("body", b""))
            if self._seen <= self._limit:
                return message
            self.refusal = Refused(413, _too_much(self._limit))
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        if not self.refusal:
            await self._send(message)


def _check_length(headers: Headers, limit: int) -> None:
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 15 or int(length) > limit:
        raise Refused(413, _too_much(limit))


async def read_body(headers: Headers, receive: Receive, limit: int) -> bytes:
    _check_length(headers, limit)
    body = bytearray()
    while True:
        message = await _patiently(receive)
        if message["type"] == "http.disconnect":
            raise Refused(400, "The body ended early.")
        body += message.get("body", b"")
        if len(body) > limit:
            raise Refused(413, _too_much(limit))
        if not message.get("more_body"):
            return bytes(body)


async def _patiently(receive: Receive) -> Message:
    try:
        async with asyncio.timeout(PATIENCE):
            return await receive()
    except TimeoutError:
        raise Refused(408, "The rest of the request did not come.") from None


def _too_much(limit: int) -> str:
    return f"That is too much at once: {limit // 2**20} MB is the most." if limit >= 2**20 else "That is too much at once."


async def let_finish(receive: Receive, seconds: float = 1.0) -> None:
    # A connection that is closed on unread bytes is reset, and the client may never see the answer that is on its way.
    try:
        async with asyncio.timeout(seconds):
            while (message := await receive())["type"] == "http.request" and message.get("more_body"):
                pass
    except TimeoutError:
        pass


async def refuse(refusal: Refused, scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the sentence, and closes the connection: what else comes on it is not read."""
    response = JSONResponse({"message": refusal.message, "detail": refusal.message}, refusal.status, headers={"Connection": "close"})
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    if scope["method"] == "POST":
        await let_finish(receive)
    await send({"type": "http.response.body", "body": b"", "more_body": False})
