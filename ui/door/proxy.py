"""Proxies in front of the studio: under which address others see it, and whose word about visitors is taken.

    --trusted-proxy ADDRESS         what this address says of visitors (X-Forwarded-For, X-Forwarded-Proto) is believed
    --public-url https://NAME/PATH  requests to NAME are answered, with or without PATH in front as the proxy passes them on

Nobody who comes through a proxy is the owner: see ui/door/at_home.py.
"""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from models.errors import UserError
from ui.door.addresses import is_loopback, network, peer_of

HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]{2,45})\]|(?P<name>[a-z0-9_](?:[a-z0-9_.-]{0,252}[a-z0-9_])?))(?::(?P<port>\d{1,5}))?")
PATH = re.compile(r"(?:/[A-Za-z0-9_~-][A-Za-z0-9._~-]*)*")
PROXY_HEADERS = re.compile(rb"forwarded|x-forwarded-.*|x-real-ip|x-original-.*|x-rewrite-.*|x-gradio-.*|x-http-method.*|x-client-ip|via")
PORTS = {"http": "80", "https": "443"}
AN_ADDRESS = 64  # requests of one forwarded address that are answered at the same time


def host_name(host: str) -> str | None:
    """The name or address in a Host header, in lower case, without port and brackets. None when it is neither."""
    match = HOST.fullmatch(host.lower())
    return match["v6"] or match["name"] if match else None


@dataclass(frozen=True)
class PublicUrl:
    """An address such as https://name/path: scheme, host as browsers send it, and a path without a slash at its end."""

    scheme: str
    host: str
    path: str = ""

    @classmethod
    def read(cls, text: str) -> PublicUrl:
        """Raises `UserError` when it is no address of a page."""
        try:
            parts = urlsplit(text.strip())
        except ValueError:
            parts = urlsplit("")
        match, path = HOST.fullmatch(parts.netloc.lower()), parts.path.rstrip("/")
        if match is None or parts.scheme not in PORTS or parts.query or parts.fragment or not PATH.fullmatch(path):
            raise UserError(f"--public-url takes an address such as https://name or https://name/path; “{text[:100]}” is not one.")
        host = match[0].removesuffix(f":{PORTS[parts.scheme]}")
        return cls(parts.scheme, host, path)

    @property
    def name(self) -> str:
        return host_name(self.host) or ""

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}"


def read_proxies(addresses: Collection[str]) -> frozenset[str]:
    """Addresses or networks. Raises `UserError` for what is neither."""
    for address in addresses:
        try:
            ipaddress.ip_network(address)
        except ValueError as error:
            raise UserError(f"--trusted-proxy takes the address of a proxy, such as 127.0.0.1; “{address[:100]}” is none.") from error
    return frozenset(addresses)


def below(scope: Scope, path: str) -> str:
    """A path of ours as the visitor's browser must name it."""
    return f"{scope.get('published', '')}{path}"


class Published:
    """Middleware in front of everything: a request that came to a public address is shown as a request to it, without its path.

    `scope["published"]`: the path that was taken away, for cookies, redirects and Gradio (see `Rooted`).
    """

    def __init__(self, app: ASGIApp, public: PublicUrl | None = None, tunnel: Callable[[], PublicUrl | None] = lambda: None) -> None:
        """`public`: where a proxy shows the studio. `tunnel`: where a tunnel shows it now."""
        self.app = app
        self.public, self.tunnel = public, tunnel

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        public = self._came_by(scope) if scope["type"] == "http" else None
        if public is None:
            await self.app(scope, receive, send)
        elif scope["path"] == public.path and public.path:
            headers = [(b"location", f"{public.path}/".encode()), (b"content-length", b"0")]
            await send({"type": "http.response.start", "status": 308, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self.app(self._shown(scope, public), receive, send)

    def _came_by(self, scope: Scope) -> PublicUrl | None:
        """By the name that it asks for; or to a name of this machine, through a proxy that did not pass the public one on."""
        hosts = Headers(scope=scope).getlist("host")
        name = (host_name(hosts[0]) or "") if len(hosts) == 1 else ""
        for public in filter(None, (self.public, self.tunnel())):
            if name == public.name:
                return public
        passed_on = any(PROXY_HEADERS.fullmatch(header.lower()) for header, _ in scope["headers"])
        return self.public if passed_on and (name == "localhost" or is_loopback(name)) else None

    def _shown(self, scope: Scope, public: PublicUrl) -> Scope:
        headers = [(name, value) for name, value in scope["headers"] if name.lower() != b"host"]
        path = scope["path"]
        shown = path.removeprefix(public.path) if path.startswith(f"{public.path}/") else path
        taken = {"path": shown, "raw_path": shown.encode("utf-8", "surrogatepass"), "published": public.path}
        return {**scope, **taken, "headers": [(b"host", public.host.encode()), *headers], "scheme": public.scheme}


class Rooted:
    """Middleware behind everything: gives the path back, the way that ASGI names it, so that Gradio's addresses hold it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        root = scope.get("published", "")
        if scope["type"] == "http" and root:
            path = root + scope["path"]
            scope = {**scope, "root_path": root, "path": path, "raw_path": path.encode("utf-8", "surrogatepass")}
        await self.app(scope, receive, send)


class Forwarded:
    """Middleware: the visitor's address is what a trusted proxy says it is, and has its own bound on requests.

    `scope["peer"]`, `scope["arrived"]`: the address and the scheme of the connection itself, whatever is said of them.
    """

    def __init__(self, app: ASGIApp, proxies: Collection[str] = ()) -> None:
        self.app = ProxyHeadersMiddleware(self._bounded, list(proxies)) if proxies else app  # type: ignore[arg-type]
        self.inner = app
        self._busy: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app({**scope, "peer": scope.get("client"), "arrived": scope.get("scheme")}, receive, send)  # type: ignore[arg-type]

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["trusted"] = scope.get("client") != scope.get("peer")  # the address is one that the proxy vouches for
        address = network(peer_of(scope))
        if address == "loopback" or scope["type"] != "http":
            await self.inner(scope, receive, send)
        elif self._busy[address] >= AN_ADDRESS:
            await JSONResponse({"message": "There are too many requests from your address. Try again in a moment."}, 429)(
                scope, receive, send
            )
        else:
            self._busy[address] += 1
            try:
                await self.inner(scope, receive, send)
            finally:
                self._busy[address] -= 1
                self._busy += Counter()  # forgets those that have none left
