"""Compression by brotli or gzip, as the browser takes it: half of a first visit is text.

Gradio compresses its own scripts, ui/parts/assets.py ours, and pictures do not shrink. What is left are the pages and what they are
configured with, which are made anew for each visit.
"""

from __future__ import annotations

import gzip
from collections.abc import Collection

import brotli
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

TEXT_PAGES = frozenset({"/", "/config", "/gradio_api/info", "/login"})
SMALL = 1000  # bytes that are not worth it
QUICK = 5  # quality, of either: 15 ms for the page


def coding(accepted: str, offered: Collection[str]) -> str:
    """The first of these content codings that an Accept-Encoding header names, else "identity"."""
    items = (item.lower().replace(" ", "").partition(";q=") for item in accepted.split(","))
    taken = {name for name, _, share in items if share not in ("0", "0.0", "0.00", "0.000")}
    return next((name for name in offered if name in taken), "identity")


def compress(content: bytes, name: str) -> bytes:
    return brotli.compress(content, quality=QUICK) if name == "br" else gzip.compress(content, QUICK, mtime=0)


class Compressed:
    """Middleware for the pages of text. Their answers are held until they are whole."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] not in TEXT_PAGES:
            await self.app(scope, receive, send)
            return
        chosen = coding(Headers(scope=scope).get("accept-encoding", ""), ("br", "gzip"))
        held: list[Message] = []

        async def hold(message: Message) -> None:
            held.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                for part in smaller(held, chosen):
                    await send(part)

        await self.app(scope, receive, hold)


def smaller(held: list[Message], chosen: str) -> tuple[Message, Message]:
    """The beginning and the body of an answer, in this coding where that is worth it."""
    body = b"".join(message.get("body", b"") for message in held[1:])
    headers = MutableHeaders(scope=held[0])
    headers.add_vary_header("Accept-Encoding")
    if len(body) >= SMALL and chosen != "identity" and "content-encoding" not in headers:
        body = compress(body, chosen)
        headers["Content-Encoding"] = chosen
        headers["Content-Length"] = str(len(body))
    return held[0], {"type": "http.response.body", "body": body}
