"""Picture routes: the very file of a finished picture, and a small version of it for film strips.

A picture is found by its id alone, 128 random bits, and only by the person who made it, by whom a board with it is shown to, or by the
owner of the studio.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response

from models.errors import UserError
from pipelines import PictureRecord, Studio
from pipelines.gallery.films import MIME, MP4, film_of
from pipelines.gallery.formats import AS_SAVED, FORMATS, MIMES, given_out
from pipelines.gallery.leaving import Sign
from pipelines.gallery.thumbs import make_thumb
from pipelines.metadata.picture_texts import UNREADABLE
from pipelines.people.records import Checker
from pipelines.services import clip_frames
from pipelines.services.clip_frames import AS_FRAMES
from pipelines.services.safety import instead
from ui.door.csp import FOREVER
from ui.door.presence import gone
from ui.door.roles import visitor_of
from ui.messages import Message

WHILE = "private, max-age=3600"  # of what is shown signed or without its settings: the owner may have it otherwise tomorrow
THUMB = 320  # pixels a side of what is shown instead of a small version
AT_ONCE = 2  # small versions and other formats that are made at the same time
IN_MOTION = {MP4: MIME, AS_FRAMES: clip_frames.MIME}  # of clips
UNFIT = "This picture cannot be read, so it can be saved only as it is."


class PictureRoutes:
    """The handlers of `/picture/{id}.png`, `/thumb/{id}` and `/example/{checkpoint}/{number}`."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        self._turn = asyncio.Semaphore(AT_ONCE)

    async def picture(self, request: Request) -> Response:
        """The file as it was saved, byte for byte, with its metadata. `?download=1` makes the browser keep it, `&as=` and one of
        `FORMATS` in another format, `&settings=0` without what it says of how it was made. There is no other by some links, and
        of pictures whose makers keep that to themselves.
        """
        try:
            record = await self._find(request)
        except UserError as error:
            return _gone(str(error))
        if record is None:
            return _gone()
        if veil := await self._veil(request, record.id):
            return await self._instead(record.path, veil, (record.width, record.height))
        visitor = visitor_of(request)
        bare = visitor.bare or not await asyncio.to_thread(self.studio.gallery.tells, record.id, visitor.person)
        sign = await asyncio.to_thread(self.studio.gallery.leaving.sign, record.id)
        if (wanted := request.query_params.get("as")) in IN_MOTION:
            return await self._in_motion(request, record, wanted, bare or request.query_params.get("settings") == "0", sign)
        if bare or sign or request.query_params.get("as") or request.query_params.get("settings") == "0":
            return await self._given_out(record.path, request.query_params, bare, sign)
        place = "attachment" if request.query_params.get("download") else "inline"
        kind = MIMES.get(record.path.suffix.lower(), "image/png")
        return FileResponse(record.path, headers=FOREVER, media_type=kind, filename=record.path.name, content_disposition_type=place)

    async def reveal(self, request: Request) -> Response:
        """From now on this person sees the picture as it is, where their link lets them."""
        visitor, picture_id = visitor_of(request), request.path_params["picture_id"]
        if not await asyncio.to_thread(self.studio.gallery.shows, picture_id, visitor.person):
            return _gone()
        try:
            await asyncio.to_thread(self.studio.safety.reveal, picture_id, visitor.user, visitor.checker)
        except UserError as error:
            return JSONResponse(Message(message=str(error)), 422)
        return JSONResponse({})

    async def _veil(self, request: Request, picture_id: str) -> Checker:
        visitor = visitor_of(request)
        return await asyncio.to_thread(self.studio.safety.veil, picture_id, visitor.user, visitor.checker) if visitor.checker else ""

    async def _instead(self, path: Path, veil: Checker, size: tuple[int, int]) -> Response:
        """What is shown in the place of a picture; it may be shown itself the next moment."""
        try:
            async with self._turn:
                data = await asyncio.to_thread(instead, path, veil, size)
        except (UserError, *UNREADABLE):
            return _gone(UNFIT)
        return Response(data, media_type="image/webp", headers={"Cache-Control": "no-store"})

    async def _given_out(self, path: Path, asked: Mapping[str, str], bare: bool, sign: Sign | None) -> Response:
        wanted, settings = asked.get("as", AS_SAVED), not bare and asked.get("settings") != "0"
        if wanted not in (AS_SAVED, *FORMATS):
            return JSONResponse(Message(message=f"A picture is given out as {', '.join(FORMATS)}."), 422)
        try:
            async with self._turn:
                name, data = await asyncio.to_thread(_read_out, path, wanted, settings, sign)
        except UserError as error:
            return _gone(str(error))
        except UNREADABLE:
            return _gone(UNFIT)
        kind = MIMES.get(Path(name).suffix.lower(), "image/png")
        kept = any(asked.get(each) for each in ("download", "as", "settings"))
        place, cache = ("attachment", "private, no-store") if kept else ("inline", WHILE)
        headers = {"Content-Disposition": f"{place}; filename*=UTF-8''{quote(name)}", "Cache-Control": cache}
        return Response(data, media_type=kind, headers=headers)

    async def _in_motion(self, request: Request, record: PictureRecord, wanted: str, bare: bool, sign: Sign | None) -> Response:
        """A clip as MP4, where the package for it is there, or its frames as PNG in a ZIP, which may wait for the worker."""
        try:
            if wanted == AS_FRAMES:
                user, made = visitor_of(request).user, self.studio.clip_frames.zip_of
                name, data = await run_in_threadpool(made, record, user, not bare, sign, gone(request))
            else:
                async with self._turn:
                    name, data = await asyncio.to_thread(film_of, record, not bare, sign)
        except (UserError, *UNREADABLE) as error:
            return JSONResponse(Message(message=str(error) if isinstance(error, UserError) else UNFIT), 422)
        headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}", "Cache-Control": "private, no-store"}
        return Response(data, media_type=IN_MOTION[wanted], headers=headers)

    async def thumb(self, request: Request) -> Response:
        """Made when it is first asked for, and then kept on the disk."""
        picture_id = request.path_params["picture_id"]
        found = await asyncio.to_thread(self.studio.gallery.place, picture_id)
        if found is None or not await self._sees(request, picture_id, found[0]):
            return _gone()
        if veil := await self._veil(request, picture_id):
            return await self._instead(found[1], veil, (THUMB, THUMB))
        thumbs = self.studio.gallery.thumbs
        try:
            small = await asyncio.to_thread(thumbs.kept, picture_id) or await self._made(request, picture_id, found[1], found[2])
        except UserError as error:
            return _gone(str(error))
        except UNREADABLE:
            return _gone()
        return Response(small, headers=FOREVER, media_type="image/webp")

    async def _made(self, request: Request, picture_id: str, picture: Path, from_elsewhere: bool) -> bytes:
        """Waiting for a turn holds no thread, and who has scrolled on meanwhile needs none made."""
        async with self._turn:
            gone = await request.is_disconnected()
            return b"" if gone else await asyncio.to_thread(self.studio.gallery.thumbs.of, picture_id, picture, from_elsewhere)

    async def example(self, request: Request) -> Response:
        """A picture that came with a checkpoint, small. Everybody may see it."""
        number = request.path_params["number"]
        try:
            path = await asyncio.to_thread(self.studio.examples.find, request.path_params["checkpoint_id"], number)
        except UserError:
            return _gone()
        return Response(await asyncio.to_thread(make_thumb, path), headers=FOREVER, media_type="image/webp")

    async def _sees(self, request: Request, picture_id: str, user: str) -> bool:
        visitor = visitor_of(request)
        return visitor.user == user or await asyncio.to_thread(self.studio.gallery.shows, picture_id, visitor.person)

    async def _find(self, request: Request) -> PictureRecord | None:
        """Raises `UserError` for one of the owner's that was brought in and has gone or changed since."""
        record = await asyncio.to_thread(self.studio.picture, request.path_params["picture_id"])
        if record is None or not await self._sees(request, record.id, record.user):
            return None
        await asyncio.to_thread(self.studio.folders.check, record)
        return record if await asyncio.to_thread(record.path.is_file) else None


def _read_out(path: Path, wanted: str, settings: bool, sign: Sign | None) -> tuple[str, bytes]:
    with path.open("rb") as file:
        name, pieces = given_out(file, path.name, wanted, settings, sign)
        return name, b"".join(pieces)


def _gone(why: str = "There is no such picture among yours.") -> Response:
    return JSONResponse(Message(message=why), 404)
