"""Clips over HTTP.

GET  /picture/{id}/frames/{number}.jpg    one frame, from 0, to be looked at; .png: as it was decoded
GET  /thumb/{id}/moving                   small, and playing
GET  /clips                               how clips are kept -> `ClipFiles`; POST {"lossless", "beside"}: the owner wants it so
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.errors import UserError
from models.json_values import table, text
from pipelines import PictureRecord, Studio
from pipelines.images.clip_file import frame_in, frames_in, frames_kept
from pipelines.jobs.clip_choice import BESIDE, ClipChoice
from pipelines.requests.wordless import plays
from ui.door.csp import FOREVER
from ui.door.roles import visitor_of
from ui.messages import ClipFiles, Message

AT_ONCE = 2  # frames and small clips that are made at the same time
NONE = "There is no such clip among yours."
UNKNOWN = f"What lies beside a clip is one of {', '.join(BESIDE)}."
VEILED = "By your link this is not shown before it is revealed."


class ClipRoutes:
    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def frame(self, request: Request) -> Response:
        number = request.path_params["number"]
        return await self._made(request, "image/jpeg", lambda record: _jpeg(record, number))

    async def exact(self, request: Request) -> Response:
        number = request.path_params["number"]
        return await self._made(request, "image/png", lambda record: _png(record, number))

    async def moving(self, request: Request) -> Response:
        def small(record: PictureRecord) -> bytes:
            return self.studio.gallery.thumbs.moving(record.id, record.path, plays(record.request)[1])

        return await self._made(request, "image/webp", small)

    async def _made(self, request: Request, kind: str, make: Callable[[PictureRecord], bytes]) -> Response:
        try:
            record = await asyncio.to_thread(self._find, request)
            async with self._turn:
                data = await asyncio.to_thread(make, record)
        except (UserError, OSError) as error:
            return JSONResponse(Message(message=str(error) if isinstance(error, UserError) else NONE), 404)
        return Response(data, media_type=kind, headers=FOREVER)

    def _find(self, request: Request) -> PictureRecord:
        """Raises `UserError` for what is no clip that this person sees as it is."""
        visitor, record = visitor_of(request), self.studio.picture(request.path_params["picture_id"])
        if record is None or not plays(record.request)[0] or not self.studio.gallery.shows(record.id, visitor.person):
            raise UserError(NONE)
        if visitor.checker and self.studio.safety.veil(record.id, visitor.user, visitor.checker):
            raise UserError(VEILED)
        return record

    async def files(self, request: Request) -> Response:
        return JSONResponse(await asyncio.to_thread(self._files))

    async def keep(self, request: Request) -> Response:
        asked = table(request.scope.get("json"))
        beside = text(asked, "beside")
        try:
            if beside not in BESIDE:
                raise UserError(UNKNOWN)
            await asyncio.to_thread(self.studio.clips.keep, ClipChoice(asked.get("lossless") is True, beside))
        except UserError as error:
            return JSONResponse(Message(message=str(error)), 422)
        return await self.files(request)

    def _files(self) -> ClipFiles:
        choice = self.studio.clips.choice
        return {"lossless": choice.lossless, "beside": choice.beside}


def _png(record: PictureRecord, number: int) -> bytes:
    stream = io.BytesIO()
    frame_in(frames_kept(record.path, plays(record.request)[1]), number).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _jpeg(record: PictureRecord, number: int) -> bytes:
    stream = io.BytesIO()
    frame_in(frames_in(record.path, plays(record.request)[1]), number).save(stream, "JPEG", quality=90)
    return stream.getvalue()
