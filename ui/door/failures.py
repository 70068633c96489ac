"""Failures: what breaks inside is told in one sentence with a reference; the log says under the same reference what it was."""

from __future__ import annotations

import json
import logging
import secrets

from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.json_values import table

log = logging.getLogger(__name__)


class Broken:
    """Middleware around everything that works on a request. An answer of 500 becomes ours; one that says why becomes 422.

    Gradio answers a direct call that a handler refuses with 500 and the sentence; that is no fault of the server's.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        held = _Held(send)
        try:
            await self.app(scope, receive, held.send)
        except Exception as error:
            if held.started:
                raise
            await _answer(scope, receive, send, error)
        else:
            if held.start and not held.started:
                await _answer(scope, receive, send, None)


class _Held:
    """Passes an answer on, except one of 500 that does not say why."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.start: Message | None = None
        self.started = False

    async def send(self, message: Message) -> None:
        if self.started:
            await self._send(message)
        elif message["type"] == "http.response.start":
            self.start = message
            if message["status"] != 500:
                await self._begin(message["status"])
        elif self.start and says_why(message.get("body", b"")):
            await self._begin(422)
            await self._send(message)

    async def _begin(self, status: int) -> None:
        assert self.start is not None
        self.started = True
        await self._send({**self.start, "status": status})


async def _answer(scope: Scope, receive: Receive, send: Send, error: Exception | None) -> None:
    reference = secrets.token_hex(4)
    log.error("Reference %s: %s %s broke", reference, scope["method"], told_of(scope["path"]), exc_info=error)
    sentence = f"Something broke in the studio. Its log says what, under the reference {reference}."
    answer = {"message": sentence, "detail": sentence, "error": sentence}
    await JSONResponse(answer, 500, headers={"Connection": "close"})(scope, receive, send)


def told_of(path: str) -> str:
    """A path as the log may hold it: without the token of a link."""
    return "/join/..." if path.startswith("/join/") else path[:200]


def says_why(body: bytes) -> bool:
    """Whether a handler of Gradio's page has refused with a sentence."""
    try:
        return bool(table(json.loads(body)).get("error"))
    except ValueError:
        return False
