"""Step routes: the steps of a picture, how it looked at each, and what goes on from them.

    GET  /picture/{id}/steps                            -> PictureSteps
    GET  /picture/{id}/steps/{leg}/{step}.jpg           how it looked after that step, from 1
    GET  /picture/{id}/steps.webp                       all of them, one after another; `?download=1` makes the browser keep it
    POST /picture/{id}/steps/keep    {leg, step}        -> {"id"}: a job that makes a picture of what was seen then
    POST /picture/{id}/steps/branch  {leg, step, kind, values, lane, once}
                                                        -> {"id"}: a job that goes on from there; `kind` and `values` as a form has
                                                        them, without them as the picture was drawn

Whoever may see a picture may see how it came to be; what was said at each step is told to those who may know how it was made. Refused is
what cannot be done, with status 422 and a sentence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.errors import UserError
from models.json_values import is_table, is_whole, table, text
from pipelines import KINDS, BookError, Drawing, PictureRecord
from ui.door.csp import FOREVER
from ui.door.roles import Visitor, visitor_of
from ui.messages import BranchOrder, Message, Started
from ui.parts.form import read
from ui.routes.pictures import THUMB, PictureRoutes

NOT_YOURS = "There is no such picture among yours."
LANES = ("now", "next", "idle")


class StepRoutes(PictureRoutes):
    """The handlers of `/picture/{id}/steps`."""

    async def steps(self, request: Request) -> Response:
        def work(record: PictureRecord) -> Response:
            return JSONResponse(self.studio.strips.of(record, self.studio.gallery.tells(record.id, visitor_of(request).person)))

        return await self._shown(request, work)

    async def preview(self, request: Request) -> Response:
        leg, step = request.path_params["leg"], request.path_params["step"]
        return await self._seen(request, lambda record: self.studio.strips.preview(record, leg, step), "image/jpeg")

    async def film(self, request: Request) -> Response:
        return await self._seen(request, self.studio.strips.film, "image/webp")

    async def keep(self, request: Request) -> Response:
        return await self._ordered(request, lambda order, visitor: self._kept(request, order, visitor))

    async def branch(self, request: Request) -> Response:
        return await self._ordered(request, lambda order, visitor: self._branched(request, order, visitor))

    def _kept(self, request: Request, order: BranchOrder, visitor: Visitor) -> str:
        picture_id: str = request.path_params["picture_id"]
        asked = self.studio.branched(picture_id, visitor.person, *_place(order), shown=True)
        return self.studio.submit(asked, visitor.user, visitor.owns, once=text(order, "once"), origin=picture_id)

    def _branched(self, request: Request, order: BranchOrder, visitor: Visitor) -> str:
        lane, picture_id = text(order, "lane", "next"), str(request.path_params["picture_id"])
        asked = self.studio.branched(picture_id, visitor.person, *_place(order), request=_form(order))
        return self.studio.submit(asked, visitor.user, visitor.owns, lane if lane in LANES else "next", text(order, "once"), picture_id)

    async def _ordered(self, request: Request, work: Callable[[BranchOrder, Visitor], str]) -> Response:
        order = cast(BranchOrder, table(request.scope.get("json")))
        try:
            return JSONResponse(Started(id=await asyncio.to_thread(work, order, visitor_of(request))))
        except BookError:
            raise  # the server says that it is not to be had now
        except UserError as error:
            return JSONResponse(Message(message=str(error)), 422)

    async def _shown(self, request: Request, work: Callable[[PictureRecord], Response]) -> Response:
        try:
            record = await self._find(request)
            if record is None:
                return JSONResponse(Message(message=NOT_YOURS), 404)
            return await asyncio.to_thread(work, record)
        except BookError:
            raise
        except UserError as error:
            return JSONResponse(Message(message=str(error)), 422)

    async def _seen(self, request: Request, make: Callable[[PictureRecord], bytes], kind: str) -> Response:
        """What is behind the checker's veil is shown as the picture itself is."""
        record = await self._found(request)
        if record and (veil := await self._veil(request, record.id)):
            return await self._instead(record.path, veil, (THUMB, THUMB))
        headers = dict(FOREVER) | ({"Content-Disposition": "attachment"} if request.query_params.get("download") else {})
        async with self._turn:
            return await self._shown(request, lambda record: Response(make(record), media_type=kind, headers=headers))

    async def _found(self, request: Request) -> PictureRecord | None:
        try:
            return await self._find(request)
        except UserError:
            return None  # which is told when it is to be shown


def _place(order: BranchOrder) -> tuple[int, int]:
    """Step and leg."""
    step, leg = order.get("step"), order.get("leg", 0)
    if not (is_whole(step) and is_whole(leg)):
        raise UserError("Something was missing in what the page sent. Reload it.")
    return step, leg


def _form(order: BranchOrder) -> Drawing | None:
    kind, values = text(order, "kind"), order.get("values")
    if not kind and values is None:
        return None
    if kind not in KINDS or not is_table(values):
        raise UserError("Something was missing in what the page sent. Reload it.")
    found = read(KINDS[kind], values)
    if not isinstance(found, Drawing):
        raise UserError("What goes on from a step is a drawing. Choose the tab in which the picture was drawn.")
    return found
