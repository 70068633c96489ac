"""Picture routes: the very file of a finished picture, and a small version of it for film strips.

A picture is found by its id alone, 128 random bits, and only by the person who made it or by the owner of the studio.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from io import BytesIO
from pathlib import Path

from PIL import Image
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from models.errors import UserError
from pipelines import PictureRecord, Studio
from pipelines.images.decode import normalise
from pipelines.images.store import on_white
from ui.door.csp import FOREVER
from ui.door.roles import visitor_of
from ui.messages import Message

KINDS = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp", ".avif": "image/avif"}
THUMB_SIDE = 320  # pixels, the longer side


class PictureRoutes:
    """The handlers of `/picture/{id}.png`, `/thumb/{id}` and `/example/{checkpoint}/{number}`."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self.thumbs = Thumbs()

    async def picture(self, request: Request) -> Response:
        """The file as it was saved, byte for byte, with its metadata. `?download=1` makes the browser keep it."""
        try:
            record = await self._find(request)
        except UserError as error:
            return _gone(str(error))
        if record is None:
            return _gone()
        place = "attachment" if request.query_params.get("download") else "inline"
        kind = KINDS.get(record.path.suffix.lower(), "image/png")
        return FileResponse(record.path, headers=FOREVER, media_type=kind, filename=record.path.name, content_disposition_type=place)

    async def thumb(self, request: Request) -> Response:
        try:
            record = await self._find(request)
            small = await self.thumbs.of(record) if record else None
        except UserError as error:
            return _gone(str(error))
        if small is None:
            return _gone()
        return Response(small, headers=FOREVER, media_type="image/webp")

    async def example(self, request: Request) -> Response:
        """A picture that came with a checkpoint, small. Everybody may see it."""
        number = request.path_params["number"]
        try:
            path = await asyncio.to_thread(self.studio.examples.find, request.path_params["checkpoint_id"], number)
        except UserError:
            return _gone()
        return Response(await asyncio.to_thread(make_thumb, path), headers=FOREVER, media_type="image/webp")

    async def _find(self, request: Request) -> PictureRecord | None:
        """Raises `UserError` for one of the owner's that was brought in and has gone or changed since."""
        record = await asyncio.to_thread(self.studio.picture, request.path_params["picture_id"])
        visitor = visitor_of(request)
        if record is None or (record.user != visitor.user and visitor.role != "owner"):
            return None
        await asyncio.to_thread(self.studio.folders.check, record)
        return record if await asyncio.to_thread(record.path.is_file) else None


class Thumbs:
    """Small versions, made in threads, two at a time, the last `most` kept in memory (about 10 kB each)."""

    def __init__(self, most: int = 1_000) -> None:
        self._most = most
        self._made: OrderedDict[str, bytes] = OrderedDict()
        self._turn = asyncio.Semaphore(2)

    async def of(self, record: PictureRecord) -> bytes:
        if record.id not in self._made:
            async with self._turn:
                self._made[record.id] = await asyncio.to_thread(make_thumb, record.path, record.program is not None)
        self._made.move_to_end(record.id)
        while len(self._made) > self._most:
            self._made.popitem(last=False)
        return self._made[record.id]


def make_thumb(path: Path, from_elsewhere: bool = False) -> bytes:
    """A WebP of at most 320 pixels a side, without metadata. Raises `UserError` for a picture from elsewhere that cannot be opened."""
    small = normalise(path.read_bytes()).image if from_elsewhere else _opened(path)
    small.thumbnail((THUMB_SIDE, THUMB_SIDE), Image.Resampling.LANCZOS)
    stream = BytesIO()
    small.save(stream, "webp", quality=82, method=2)
    return stream.getvalue()


def _opened(path: Path) -> Image.Image:
    with Image.open(path, formats=("PNG",)) as image:
        return on_white(image).convert("RGB")


def _gone(why: str = "There is no such picture among yours.") -> Response:
    return JSONResponse(Message(message=why), 404)
