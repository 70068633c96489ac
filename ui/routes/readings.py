"""The reading routes: a picture or a text in, what it says of how it was made out. Nothing of it is stored.

POST /reading    application/octet-stream: a picture, or a file with settings or a prompt, of at most 64 MB
                 text/plain: a text that somebody has pasted, in UTF-8                      -> `ReadingNews`
POST /check      application/octet-stream: a picture, of at most 64 MB                      -> `CheckNews`
GET  /signing    whether pictures that leave are signed -> `SigningState`; POST {"on"}: the owner wants it so
"""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.errors import UserError
from models.json_values import table
from pipelines import Studio
from pipelines.services.answers import ReadingNews
from pipelines.services.reading_news import sound
from ui.door.body_guard import content_type
from ui.door.roles import user_of
from ui.messages import Message, SigningState


class ReadingRoutes:
    """The handlers of `/reading`, `/check` and `/signing`."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio

    async def read(self, request: Request) -> Response:
        data, kind = await request.body(), content_type(request.headers)
        try:
            news = await asyncio.to_thread(self._read, data, kind == "text/plain", user_of(request))
        except UserError as error:
            return JSONResponse(Message(message=sound(str(error))), 422)
        return JSONResponse(news)

    async def check(self, request: Request) -> Response:
        data = await request.body()
        try:
            return JSONResponse(await asyncio.to_thread(self.studio.checks.of, data))
        except UserError as error:
            return JSONResponse(Message(message=sound(str(error))), 422)

    async def signing(self, request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(self._signing))

    async def switch(self, request: Request) -> Response:
        on = table(request.scope.get("json")).get("on") is True
        try:
            await asyncio.to_thread(self.studio.gallery.leaving.signing.switch, on)
        except UserError as error:
            return JSONResponse(Message(message=str(error)), 422)
        return await self.signing(request)

    def _signing(self) -> SigningState:
        signing = self.studio.gallery.leaving.signing
        return {"on": signing.on, "available": signing.available}

    def _read(self, data: bytes, is_text: bool, user: str) -> ReadingNews:
        if is_text:
            return self.studio.readings.of_text(data.decode("utf-8", "replace"), user)
        return self.studio.readings.of_file(data, user)
