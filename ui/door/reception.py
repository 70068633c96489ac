"""The reception: who asks, and whether they may come in. Behind the guard, in front of everything else.

Strangers find the door (`/login`, `/join/...`), its typefaces and `/healthz`: the addresses that `ui/routes/addresses.py` gives to anyone.
Gradio's own login is not used, because it leaves routes of Gradio open.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Callable, Collection

from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipelines.people.people import COOKIE, People
from pipelines.people.records import hash_of
from ui.door.at_home import at_the_machine
from ui.door.cookies import USER_COOKIE, YEAR, with_cookie
from ui.door.proxy import below
from ui.door.roles import Visitor

PLAIN_ROUTES = ("/assets/", "/static/", "/healthz", "/theme.css", "/favicon.ico")  # nothing personal: no cookie is made for them
TURNSTILE = '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0"><title>Atelier</title></html>'
OUT_ROUTE = "/logout"  # who goes out is answered all the same
OUT = "Log in first, or open the link that you were given: reload the page."


class Reception:
    """Middleware: finds the visitor of each request, makes the owner's cookie, keeps strangers at the door.

    What a visitor still reads when the way in is closed ends then: a stream, or an answer that is waited for.
    """

    def __init__(
        self,
        app: ASGIApp,
        people: People,
        opened: Callable[[str], bool],
        proxied: bool = False,
        owner_seen: Callable[[str], None] = lambda user: None,
        faces: Collection[str] = (),
    ) -> None:
        """`opened`: whether a path is open to anyone. `proxied`: a proxy is named, so who seems to sit at the machine logs in as well.
        `owner_seen` is told the user id of each request of the owner's. `faces`: paths of the typefaces that the door is written in.
        """
        self.app, self.people, self.proxied, self.owner_seen = app, people, proxied, owner_seen
        self._opened, self._faces = opened, frozenset(faces)
        self._busy: defaultdict[str, set[asyncio.Task[object]]] = defaultdict(set)  # hash of a session's token -> what is answered to it
        self._loop: asyncio.AbstractEventLoop | None = None
        people.on_closed.append(self._hears)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        token = cookie_parser(Headers(scope=scope).get("cookie", "")).get(USER_COOKIE, "")
        known = COOKIE.fullmatch(token) is not None
        token = token if known else secrets.token_urlsafe(16)
        scope["visitor"] = visitor = self._visitor(scope, token)
        if visitor.owns and known:
            self.owner_seen(visitor.user)
        answer = self._turned_away(scope, known)
        if not known and answer is None and visitor.owns and not scope["path"].startswith(PLAIN_ROUTES):
            send = with_cookie(send, USER_COOKIE, token, YEAR, scope)
        if answer is None and visitor.session and scope["path"] != OUT_ROUTE:
            await self._while_let_in(visitor.session, scope, receive, send)
        else:
            await (answer or self.app)(scope, receive, send)

    def _visitor(self, scope: Scope, token: str) -> Visitor:
        stands = self.people.standing(token)
        if at_the_machine(scope) and (not self.proxied or (stands and stands.link.is_password)):
            return Visitor(self.people.user(token), "owner", session=stands.session if stands and self.proxied else "")
        if stands is None:
            return Visitor(self.people.user(token), "anyone")
        who = (stands.user, stands.role, stands.board, stands.name)
        return Visitor(*who, stands.link.number, hash_of(token), stands.held, stands.bare, stands.thanked_until, stands.checker)

    def _turned_away(self, scope: Scope, known: bool) -> ASGIApp | None:
        headers = Headers(scope=scope)
        page = scope["method"] in ("GET", "HEAD") and "text/html" in headers.get("accept", "")
        if page and not known and _led_here(headers) and not scope["path"].startswith("/join/"):
            return HTMLResponse(TURNSTILE)
        if scope["visitor"].role != "anyone" or scope["path"] in self._faces or self._opened(scope["path"]):
            return None
        if page:
            return RedirectResponse(below(scope, "/login"), 303)
        return JSONResponse({"message": OUT}, 401)

    async def _while_let_in(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._loop = asyncio.get_running_loop()
        self._busy[session].add(task)
        told = _Told(send)
        try:
            await self.app(scope, receive, told.send)
        except asyncio.CancelledError:
            if task in self._busy.get(session, ()):  # somebody else's wish
                raise
            task.uncancel()
            await told.end(scope, receive)
        finally:
            self._busy[session].discard(task)
            if not self._busy[session]:
                self._busy.pop(session)

    def _hears(self, sessions: frozenset[str]) -> None:
        """These are let in no longer. Called from any thread."""
        if self._loop and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._show_out, sessions)

    def _show_out(self, sessions: frozenset[str]) -> None:
        for session in sessions:
            for task in self._busy.pop(session, set[asyncio.Task[object]]()):
                task.cancel()


class _Told:
    """An answer, and how far it has come."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = self.ended = self.streams = False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.streams = Headers(raw=message["headers"]).get("content-type", "").startswith("text/event-stream")
        self.begun = True
        self.ended = message["type"] == "http.response.body" and not message.get("more_body", False)
        await self._send(message)

    async def end(self, scope: Scope, receive: Receive) -> None:
        """Comes to an end here: with a sentence where nothing was said yet. A file is broken off, which the browser tells."""
        if not self.begun:
            await JSONResponse({"message": OUT}, 401)(scope, receive, self._send)
        elif self.streams and not self.ended:
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})


def _led_here(headers: Headers) -> bool:
    """Whether a link on another site led here. Strict cookies are then held back, and a new one would replace the old."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        return site == "cross-site"
    # Over plain http a browser names no site; a referrer that is not ours tells as much.
    host = headers.get("host", "")
    return not headers.get("referer", f"http://{host}/").startswith((f"http://{host}/", f"https://{host}/"))
