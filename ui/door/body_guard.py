"""The guard of bodies, behind the guard and the login: what a request may bring. Nothing of a stranger's body is read.

size      2 MB of JSON, 64 MB of upload, counted as they arrive, or 413; only so much at the same time from one address
body      JSON, an upload at the upload routes, a form at the login: anything else is 415. What no parser should guess is 400
uploads   a path or an address inside a body must be a file that this person uploaded here, or 403 ("uploads only")
files     are served to who uploaded them
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from models.errors import UserError
from models.json_values import listed
from ui.door.addresses import network, peer_of
from ui.door.bodies import Counted, Limits, Refused, read_body, refuse
from ui.door.uploads import FILE_ROUTE, HalfText, NotAnUpload, NotJson, UploadFolder, check_body

GRADIO = "/gradio_api/"
UPLOAD_ROUTE = "/gradio_api/upload"
BYTES = "application/octet-stream"
FILE_ROUTES = {
    "/input": (BYTES,), "/check": (BYTES,), "/reading": (BYTES, "text/plain"), "/presets/file": (BYTES,), "/presets/picture": (BYTES,),
    "/cards/picture": (BYTES,),
}  # whose body is one file -> the content types that it may have  # fmt: skip
FORM_ROUTES = ("/login", "/logout")
FORM = "application/x-www-form-urlencoded"
LONG_BODY = 32_768  # bytes from which a body is checked in a thread
AT_ONCE = 4  # uploads of one address that are taken at the same time; each may be 64 MB in memory


class BodyGuard:
    """Pure ASGI middleware: see the rules at the top of this file. `scope["json"]` is what a body of JSON holds.

    `room`: raises `UserError` when a person has no room on the disk for so many bytes more.
    """

    def __init__(
        self, app: ASGIApp, uploads: UploadFolder, limits: Limits | None = None, room: Callable[[str, int], None] = lambda user, size: None
    ) -> None:
        self.app = app
        self.room = room
        self.uploads = uploads
        self.limits = limits or Limits()
        self._uploading: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            await self._guard(scope, receive, send)
        except Refused as refusal:
            await refuse(refusal, scope, receive, send)

    async def _guard(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._check_file(scope)
        if scope["method"] != "POST":
            await self.app(scope, receive, send)
        elif scope["path"] in (UPLOAD_ROUTE, *FILE_ROUTES):
            await self._in_turn(scope, receive, send)
        else:
            body = await self._checked_body(scope, Headers(scope=scope), receive)
            await self.app(scope, replay(body, receive), send)

    def _check_file(self, scope: Scope) -> None:
        path = scope["path"]
        if path.startswith(FILE_ROUTE) and not self.uploads.is_of(path.removeprefix(FILE_ROUTE), _user(scope)):
            raise Refused(403, "Uploads only: this is not a file that you uploaded here.")

    async def _in_turn(self, scope: Scope, receive: Receive, send: Send) -> None:
        address = network(peer_of(scope))
        if self._uploading[address] >= AT_ONCE:
            raise Refused(429, "There are too many uploads at once from your address. Try again when they are through.")
        self._uploading[address] += 1
        try:
            await (self._upload if scope["path"] == UPLOAD_ROUTE else self._input)(scope, receive, send)
        finally:
            self._uploading[address] -= 1
            self._uploading += Counter()  # forgets those that have none left

    async def _input(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if content_type(headers) not in FILE_ROUTES[scope["path"]]:
            raise Refused(415, f"Send the file itself, as {' or '.join(FILE_ROUTES[scope['path']])}.")
        body = await read_body(headers, receive, self.limits.upload)
        await self.app(scope, replay(body, receive), send)

    async def _checked_body(self, scope: Scope, headers: Headers, receive: Receive) -> bytes:
        kind = content_type(headers)
        if kind == FORM and scope["path"] in FORM_ROUTES:
            return await read_body(headers, receive, self.limits.form)
        if kind == "application/json":
            body = await read_body(headers, receive, self.limits.json)
            scope["json"] = await self._check_json(body, scope)
            return body
        if await read_body(headers, receive, 0 if not kind else self.limits.json):
            raise Refused(415, "Send JSON, with the content type application/json.")
        return b""

    async def _check_json(self, body: bytes, scope: Scope) -> object:
        host, published = Headers(scope=scope).get("host", "").lower(), scope.get("published", "")
        origins = (f"http://{host}{published}", f"https://{host}{published}", *filter(None, [published]))
        asked = body, self.uploads, origins, _user(scope), scope["path"].startswith(GRADIO)  # which ui/door/gradio_call.py writes anew
        try:
            return check_body(*asked) if len(body) < LONG_BODY else await asyncio.to_thread(check_body, *asked)
        except HalfText:
            raise Refused(400, "A text holds half of a character. Remove what looks odd in it, or type it again.") from None
        except NotJson:
            raise Refused(400, "This is not JSON that the studio reads: check numbers, nesting and repeated names.") from None
        except NotAnUpload:
            raise Refused(403, "Uploads only: name a file that you uploaded here, no other path or address.") from None

    async def _upload(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        if content_type(headers) != "multipart/form-data":
            raise Refused(415, "Send files as multipart/form-data.")
        await self._check_room(headers, scope)
        counted = Counted(headers, receive, self._noting(scope, send), self.limits.upload)
        try:
            await self.app(scope, counted.receive, counted.send)
        except Exception:
            if not counted.refusal:
                raise
        finally:
            await asyncio.to_thread(self.uploads.sweep)
        if counted.refusal:
            raise counted.refusal

    async def _check_room(self, headers: Headers, scope: Scope) -> None:
        length = headers.get("content-length", "")
        try:
            await asyncio.to_thread(self.room, _user(scope), int(length) if length.isdecimal() and len(length) < 16 else self.limits.upload)
        except UserError as error:
            raise Refused(413, str(error)) from None

    def _noting(self, scope: Scope, send: Send) -> Send:
        """Whose the files are whose paths are answered, is kept before the answer goes out."""
        told = bytearray()

        async def note(message: Message) -> None:
            told.extend(message.get("body", b""))
            if message["type"] == "http.response.body" and not message.get("more_body"):
                self.uploads.note(_paths(bytes(told)), _user(scope))
            await send(message)

        return note


def content_type(headers: Headers) -> str:
    given = headers.getlist("content-type")
    if len(given) > 1:
        raise Refused(400, "Name one content type.")
    return given[0].split(";")[0].strip().lower() if given else ""


def replay(body: bytes, receive: Receive) -> Receive:
    waiting = [body]

    async def again() -> Message:
        return {"type": "http.request", "body": waiting.pop(), "more_body": False} if waiting else await receive()

    return again


def _paths(answer: bytes) -> list[str]:
    try:
        named = listed(json.loads(answer))
    except ValueError:
        return []
    return [path for path in named if isinstance(path, str)]


def _user(scope: Scope) -> str:
    visitor = scope.get("visitor")
    return visitor.user if visitor else ""
