"""The guard stands in front of every route, ours and Gradio's. It knows nothing of users; it knows what no request may do.

host      a request names a host that is ours, once, or is answered 421: another name may be a page that had its own name
          pointed at this machine
origin    what a page of another site starts is answered 403; such a page may link to us, nothing more
proxies   forwarded headers are removed: nobody can claim another address or name
answers   carry a content security policy and no permission for other origins

What a request may bring with it, ui/door/body_guard.py says, once it is known who asks.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.door.addresses import parsed
from ui.door.bodies import Refused, refuse
from ui.door.csp import FOREVER, SEALED_POLICY, policy
from ui.door.proxy import PROXY_HEADERS, PublicUrl, host_name
from ui.door.uploads import FILE_ROUTE

OWN_SCRIPT = b"x-gradio-user"  # what Gradio's script in the page itself sends with every call: no proxy stands behind it
LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
PAGES = ("/", "/login")  # what a link on another site may open
BELOW = ("/picture/", "/join/")  # and what stands below
NAMED_BY_CONTENT = re.compile(r"/assets/[\w.-]+-[\w-]{8,}\.\w+")  # scripts and styles: another content has another name
FILE_ROUTES = ("/picture/", "/thumb/", "/input/", FILE_ROUTE)
LONGEST_ADDRESS = 45  # characters of a claimed address that are looked at
NO_NAME = (
    "The studio does not answer to this name. Open it by its address; or, where a proxy or a router gives it this name, "
    "start it with --public-url https://NAME."
)

ANSWER_HEADERS = {
    "Content-Security-Policy": policy(),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # "no-referrer" would make browsers send "Origin: null" with our own login form.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(), payment=(), usb=(), serial=(), display-capture=()",
}


class Guard:
    """Pure ASGI middleware: see the rules at the top of this file.

    `hosts`: names this server goes by besides the loopback ones, without a port. `own_address`: also admit the address that
    the connection arrived at, for a server that listens on all of them. `tunnel`: where a tunnel shows the studio now.
    """

    def __init__(
        self,
        app: ASGIApp,
        hosts: Iterable[str] = (),
        own_address: bool = False,
        tunnel: Callable[[], PublicUrl | None] = lambda: None,
    ) -> None:
        self.app, self.tunnel = app, tunnel
        self.hosts = LOOPBACK_NAMES | {host.lower().strip("[]") for host in hosts}
        self.own_address = own_address

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await self._guard(scope, receive, _dressed(send, scope))
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})
        else:
            await self.app(scope, receive, send)

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        try:
            host = self._check_host(scope, headers)
            _check_method(scope["method"])
            _check_origin(scope, headers, host)
            _check_site(scope, headers)
            await self.app(_direct(scope), receive, send)
        except Refused as refusal:
            await refuse(refusal, scope, receive, send)

    def _check_host(self, scope: Scope, headers: Headers) -> str:
        given = headers.getlist("host")
        name = host_name(given[0]) if len(given) == 1 else None
        if name is None or not scope["path"].startswith("/"):
            raise Refused(421, "This request names no host that the studio knows.")
        if name not in self.hosts and not self._is_shown_as(name) and not (self.own_address and self._is_own(name, scope)):
            raise Refused(421, NO_NAME)
        return given[0].lower()

    def _is_shown_as(self, name: str) -> bool:
        tunnel = self.tunnel()
        return tunnel is not None and tunnel.name == name

    def _is_own(self, name: str, scope: Scope) -> bool:
        own = parsed(str((scope.get("server") or ("",))[0]))
        return own is not None and parsed(name) == own and not own.is_loopback


def _check_method(method: str) -> None:
    if method not in ("GET", "HEAD", "POST"):
        raise Refused(405, "The studio knows GET, HEAD and POST.")


def _check_origin(scope: Scope, headers: Headers, host: str) -> None:
    # Where we encrypt ourselves, a page of this name in the clear is none of ours: whoever stands in between has made it.
    schemes = ("https",) if scope.get("arrived") == "https" else ("http", "https")
    for origin in headers.getlist("origin"):
        if origin not in [f"{scheme}://{host}" for scheme in schemes]:
            raise Refused(403, "This came from a page of another site.")


def _check_site(scope: Scope, headers: Headers) -> None:
    if all(site in ("same-origin", "none") for site in headers.getlist("sec-fetch-site")):
        return
    opens = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    page = scope["path"] in PAGES or scope["path"].startswith(BELOW)
    if not (opens and page and scope["method"] == "GET"):
        raise Refused(403, "This came from a page of another site.")


def _direct(scope: Scope) -> Scope:
    """The request without what proxies add. `scope["forwarded"]` remembers that there was something, and `claimed` whom they named."""
    headers = [(name, value) for name, value in scope["headers"] if not PROXY_HEADERS.fullmatch(name.lower())]
    added = {name.lower() for name, _ in scope["headers"] if PROXY_HEADERS.fullmatch(name.lower())} - {OWN_SCRIPT}
    # HTTP/1.0 is what proxies speak that add nothing; no browser does.
    forwarded = bool(added) or scope.get("http_version") == "1.0"
    claimed = Headers(scope=scope).get("x-forwarded-for", "").rpartition(",")[2].strip()[:LONGEST_ADDRESS]
    return {**scope, "headers": headers, "forwarded": forwarded, "claimed": claimed}


def _dressed(send: Send, scope: Scope) -> Send:
    async def dress(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name in [name for name in headers if name.lower().startswith("access-control-")]:
                del headers[name]
            if scope["path"].startswith(FILE_ROUTES):
                headers["Content-Security-Policy"] = SEALED_POLICY
            for name, value in ANSWER_HEADERS.items():
                headers.setdefault(name, value)
            if message["status"] == 200 and NAMED_BY_CONTENT.fullmatch(scope["path"]):
                headers.update(FOREVER)
            elif not scope["path"].startswith(("/assets/", "/static/")):
                headers.setdefault("Cache-Control", "no-store")
        await send(message)

    return dress
