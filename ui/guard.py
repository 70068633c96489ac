"""The guard stands in front of every route, ours and Gradio's. It knows nothing of users; it knows what no request may do.

host      a request names a host that is ours, once, or is answered 421: another name may be a page that had its own name
          pointed at this machine
origin    what a page of another site starts is answered 403; such a page may link to us, nothing more
size      2 MB of JSON, 64 MB of upload, counted as they arrive, or 413
body      JSON, an upload at the upload routes, a form at the login: anything else is 415. What no parser should guess is 400
uploads   a path or an address inside a body must be an upload of this server, or 403 ("uploads only")
proxies   forwarded headers are removed: nobody can claim another address or name
answers   carry a content security policy and no permission for other origins
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.bodies import Counted, Limits, Refused, let_finish, read_body
from ui.policy import FOREVER, SEALED_POLICY, policy
from ui.uploads import FILE_ROUTE, NotAnUpload, NotJson, UploadFolder, check_body

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
HOST = re.compile(r"(?:\[(?P<v6>[0-9a-f:.]{2,45})\]|(?P<name>[a-z0-9_](?:[a-z0-9_.-]{0,252}[a-z0-9_])?))(?::\d{1,5})?")
PAGES = ("/", "/login", "/picture/")  # what a link on another site may open
NAMED_BY_CONTENT = re.compile(r"/assets/[\w.-]+-[\w-]{8,}\.\w+")  # scripts and styles: another content has another name
FILE_ROUTES = ("/picture/", "/thumb/", "/input/", FILE_ROUTE)
UPLOAD_ROUTE = "/gradio_api/upload"
INPUT_ROUTE = "/input"
FORM_ROUTES = ("/login", "/logout")
FORM = "application/x-www-form-urlencoded"
PROXY_HEADERS = re.compile(rb"forwarded|x-forwarded-.*|x-real-ip|x-original-.*|x-rewrite-.*|x-gradio-.*|x-http-method.*|x-client-ip|via")
LONG_BODY = 32_768  # bytes from which a body is checked in a thread

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
    the connection arrived at, for a server that listens on all of them.
    """

    def __init__(
        self, app: ASGIApp, uploads: UploadFolder, hosts: Iterable[str] = (), own_address: bool = False, limits: Limits | None = None
    ) -> None:
        self.app = app
        self.uploads = uploads
        self.hosts = LOOPBACK_NAMES | {host.lower().strip("[]") for host in hosts}
        self.own_address = own_address
        self.limits = limits or Limits()

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
            _check_origin(headers, host)
            _check_site(scope, headers)
            self._check_file(scope)
            if scope["method"] != "POST":
                await self.app(_direct(scope), receive, send)
            elif scope["path"] == UPLOAD_ROUTE:
                await self._upload(scope, headers, receive, send)
            else:
                body = await self._checked_body(scope, headers, host, receive)
                await self.app(_direct(scope), _replay(body, receive), send)
        except Refused as refusal:
            await _answer(refusal, scope, receive, send)

    def _check_host(self, scope: Scope, headers: Headers) -> str:
        given = headers.getlist("host")
        name = host_name(given[0]) if len(given) == 1 else None
        if name is None or not scope["path"].startswith("/"):
            raise Refused(421, "This request names no host that the studio knows.")
        if name not in self.hosts and not (self.own_address and self._is_own(name, scope)):
            raise Refused(421, "The studio does not answer to this name. Open it by its address, or name the host when you start it.")
        return given[0].lower()

    def _is_own(self, name: str, scope: Scope) -> bool:
        server = scope.get("server")
        return server is not None and name == str(server[0]) and not name.startswith("127.")

    def _check_file(self, scope: Scope) -> None:
        path = scope["path"]
        if path.startswith(FILE_ROUTE) and not self.uploads.holds(path.removeprefix(FILE_ROUTE)):
            raise Refused(403, "Uploads only: this is not a file that was uploaded here.")

    async def _checked_body(self, scope: Scope, headers: Headers, host: str, receive: Receive) -> bytes:
        kind = _content_type(headers)
        if kind == FORM and scope["path"] in FORM_ROUTES:
            return await read_body(headers, receive, self.limits.form)
        if scope["path"] == INPUT_ROUTE:
            if kind != "application/octet-stream":
                raise Refused(415, "Send the file itself, as application/octet-stream.")
            return await read_body(headers, receive, self.limits.upload)
        if kind == "application/json":
            body = await read_body(headers, receive, self.limits.json)
            await self._check_json(body, host)
            return body
        if await read_body(headers, receive, 0 if not kind else self.limits.json):
            raise Refused(415, "Send JSON, with the content type application/json.")
        return b""

    async def _check_json(self, body: bytes, host: str) -> None:
        origins = (f"http://{host}", f"https://{host}")
        try:
            if len(body) < LONG_BODY:
                check_body(body, self.uploads, origins)
            else:
                await asyncio.to_thread(check_body, body, self.uploads, origins)
        except NotJson:
            raise Refused(400, "This is not JSON that the studio reads: check numbers, nesting and repeated names.") from None
        except NotAnUpload:
            raise Refused(403, "Uploads only: name a file that was uploaded here, no other path or address.") from None

    async def _upload(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        if _content_type(headers) != "multipart/form-data":
            raise Refused(415, "Send files as multipart/form-data.")
        counted = Counted(headers, receive, send, self.limits.upload)
        try:
            await self.app(_direct(scope), counted.receive, counted.send)
        except Exception:
            if not counted.refusal:
                raise
        finally:
            await asyncio.to_thread(self.uploads.sweep)
        if counted.refusal:
            raise counted.refusal


def host_name(host: str) -> str | None:
    """The name or address in a Host header, in lower case, without port and brackets. None when it is neither."""
    match = HOST.fullmatch(host.lower())
    return match["v6"] or match["name"] if match else None


def _check_method(method: str) -> None:
    if method not in ("GET", "HEAD", "POST"):
        raise Refused(405, "The studio knows GET, HEAD and POST.")


def _check_origin(headers: Headers, host: str) -> None:
    for origin in headers.getlist("origin"):
        if origin not in (f"http://{host}", f"https://{host}"):
            raise Refused(403, "This came from a page of another site.")


def _check_site(scope: Scope, headers: Headers) -> None:
    if all(site in ("same-origin", "none") for site in headers.getlist("sec-fetch-site")):
        return
    opens = headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    page = scope["path"] in PAGES or scope["path"].startswith(PAGES[-1])
    if not (opens and page and scope["method"] == "GET"):
        raise Refused(403, "This came from a page of another site.")


def _content_type(headers: Headers) -> str:
    given = headers.getlist("content-type")
    if len(given) > 1:
        raise Refused(400, "Name one content type.")
    return given[0].split(";")[0].strip().lower() if given else ""


def _replay(body: bytes, receive: Receive) -> Receive:
    waiting = [body]

    async def again() -> Message:
        return {"type": "http.request", "body": waiting.pop(), "more_body": False} if waiting else await receive()

    return again


def _direct(scope: Scope) -> Scope:
    """The request without what proxies add. `scope["forwarded"]` remembers that there was something."""
    headers = [(name, value) for name, value in scope["headers"] if not PROXY_HEADERS.fullmatch(name.lower())]
    return {**scope, "headers": headers, "forwarded": len(headers) < len(scope["headers"])}


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


async def _answer(refusal: Refused, scope: Scope, receive: Receive, send: Send) -> None:
    response = JSONResponse({"message": refusal.message}, refusal.status, headers={"Connection": "close"})
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    await send({"type": "http.response.body", "body": response.body, "more_body": True})
    if scope["method"] == "POST":
        await let_finish(receive)
    await send({"type": "http.response.body", "body": b"", "more_body": False})
