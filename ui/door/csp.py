"""The content security policy: a page may run and load its own scripts, styles and pictures from this server, and nothing else.

Gradio writes its configuration into inline scripts. Each gets a number that is drawn anew for every visit, and ours are files; so
text that turned into markup, a `javascript:` link or a framed document run nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}  # for what never changes under its name
SEALED_POLICY = "sandbox; default-src 'none'; img-src 'self'; style-src 'unsafe-inline'"  # a file that is opened by itself is no page


def policy(script_sources: Iterable[str] = ()) -> str:
    """A content security policy with these sources of scripts besides the files of this server."""
    return "; ".join(
        (
            "default-src 'self'",
            # Component templates are compiled in the browser, hence eval. Attributes such as onerror never run.
            " ".join(("script-src 'self' 'unsafe-eval'", *script_sources)),
            "script-src-attr 'none'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "media-src 'self' data: blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "frame-src 'none'",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


class Numbered:
    """Middleware that numbers the inline scripts of the page at "/", sends the policy that knows the number, and adds our own `head`."""

    def __init__(self, app: ASGIApp, head: str = "") -> None:
        self.app = app
        self.head = head.encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/":
            await self.app(scope, receive, send)
            return
        held: list[Message] = []

        async def hold(message: Message) -> None:
            held.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                for part in self._numbered(held):
                    await send(part)

        await self.app(scope, receive, hold)

    def _numbered(self, held: list[Message]) -> tuple[Message, Message]:
        number = secrets.token_urlsafe(16)
        whole = b"".join(message.get("body", b"") for message in held[1:]).replace(b"</head>", self.head + b"</head>", 1)
        # Gradio writes "<" inside its configuration as \u003c, so every "<script" here begins a script of the template.
        body = whole.replace(b"<script", f'<script nonce="{number}"'.encode())
        headers = MutableHeaders(scope=held[0])
        headers["Content-Security-Policy"] = policy((f"'nonce-{number}'",))
        if body:
            headers["Content-Length"] = str(len(body))
        return held[0], {"type": "http.response.body", "body": body}
