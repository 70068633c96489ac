"""Routes into a picture of one's own: what its model did. What needs weights is begun by one address and asked after by another.

    GET  /inside/{picture}?steps=            -> InsidePicture: what can be said without weights
    POST /inside/{picture}/{part}            -> InsideLook: a look begins, unless it has
    GET  /inside/{picture}/{part}            -> InsideLook: how far it has come, and what it has found
    GET  /inside/{picture}/{part}/{name}     -> a file that was found
    POST /inside/stop                        looks of this person end within one step

A refusal is a sentence: 404 for what is not there, 422 for what cannot be seen.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.errors import UserError
from pipelines import PictureRecord, Studio
from pipelines.services.safety import HIDDEN
from ui.door.roles import visitor_of
from ui.messages import Message

NOT_YOURS = "This picture is not among yours any more. Choose another one."
LEAST, MOST = 1, 150  # steps
KINDS = {"jpg": "image/jpeg", "png": "image/png"}


class InsideRoutes:
    """The handlers of `/inside`."""

    def __init__(self, studio: Studio) -> None:
        self._studio, self._inside = studio, studio.inside

    async def picture(self, request: Request) -> Response:
        return await _answered(lambda: self._inside.picture(self._own(request), _steps(request)))

    async def begin(self, request: Request) -> Response:
        return await _answered(lambda: self._inside.begin(self._own(request), request.path_params["part"], visitor_of(request).user))

    async def look(self, request: Request) -> Response:
        given = request.path_params
        return await _answered(lambda: self._inside.look(given["picture_id"], given["part"], visitor_of(request).user))

    async def file(self, request: Request) -> Response:
        given = request.path_params
        try:
            data = self._inside.file(given["picture_id"], given["part"], given["name"], visitor_of(request).user)
        except UserError as error:
            return JSONResponse(Message(message=str(error)), 404)
        kind = KINDS.get(given["name"].rpartition(".")[2], "application/octet-stream")
        return Response(data, headers={"Cache-Control": "private, max-age=3600"}, media_type=kind)

    async def stop(self, request: Request) -> Response:
        self._inside.stop(visitor_of(request).user)
        return JSONResponse({})

    def _own(self, request: Request) -> PictureRecord:
        """Raises `UserError` when it is not this visitor's own, or is hidden from them."""
        visitor = visitor_of(request)
        record = self._studio.own_picture(request.path_params["picture_id"], visitor.user, visitor.owns)
        if record is None:
            raise UserError(NOT_YOURS)
        if visitor.checker and (veil := self._studio.safety.veil(record.id, visitor.user, visitor.checker)):
            raise UserError(HIDDEN[veil])
        return record


def _steps(request: Request) -> int:
    """0 where none are asked for."""
    asked = request.query_params.get("steps", "")
    return min(max(int(asked), LEAST), MOST) if asked.isascii() and asked.isdecimal() and len(asked) < 5 else 0


async def _answered(work: Callable[[], Mapping[str, object]]) -> Response:
    try:
        return JSONResponse(await asyncio.to_thread(work))
    except UserError as error:
        return JSONResponse(Message(message=str(error)), 404 if str(error) == NOT_YOURS else 422)
