"""Grid routes: what the axes of a form may vary, a person's grids, and how each comes on.

    POST /grids/axes               {kind, values}, {picture} or {grid} -> AxisOffers
    POST /grids/plan               the same, and {axes}                -> GridPlan: cells and time, or what is wrong with which axis
    GET  /grids                                                        -> GridList
    POST /grids                    {kind, values} or {picture}, and {axes, once} -> {"id"}; the cells are drawn one after another
    GET  /grids/{id}?after=VERSION -> GridNews as soon as it is newer, or after 20 seconds; &wait=0: at once
    POST /grids/{id}/stop                                              no cell more is begun; what is drawn stays
    POST /grids/{id}/go-on                                             what was stopped or has failed is drawn
    POST /grids/{id}/change        {axes}                              with values more or fewer, or with other axes
    POST /grids/{id}/again         {place}                             one cell that has no picture
    POST /grids/{id}/look          {at, seen}                          which cells are drawn first
    POST /grids/{id}/remove                                            its pictures stay
    GET  /grids/{id}/sheet.png                                         all of it as one picture with legends
    GET  /grids/{id}/page.html                                         the same as a page with all pictures in it
    POST /grids/ways               {picture}                           -> GridWays: to explore around a picture

An axis is {name, typed}. A refusal is a sentence: 404 for a grid that is not one's own, 422 for anything else.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Mapping
from typing import cast

from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.errors import UserError
from models.json_values import is_list, is_table, table, text
from pipelines import KINDS, BookError, NotYours, Studio
from pipelines.grids.cells import Grid, Place
from pipelines.requests.request import Request as Asked
from pipelines.services import grid_export
from pipelines.services.grid_answers import GridPlan
from pipelines.services.grid_export import Face, Shown
from pipelines.services.safety import instead
from ui.door.roles import Visitor, visitor_of
from ui.messages import GridOrder, Message, Started
from ui.parts.form import drawing_of, origin_of, read

LONG_POLL = 20.0  # seconds
UNSAID = "Something was missing in what the page sent. Reload it."
MOST_SEEN = 1_000
OK = {"ok": True}
Axes = list[tuple[str, str]]
Make = Callable[[Grid, Mapping[Place, str], Face], bytes]


class GridRoutes:
    """The handlers of `/grids`."""

    def __init__(self, studio: Studio, closing: asyncio.Event) -> None:
        self.studio, self.grids, self.closing = studio, studio.grids, closing
        self._turn = asyncio.Semaphore(1)  # an export holds many pictures

    async def axes(self, request: Request) -> Response:
        return await _answered(request, lambda who, order: self.grids.plans.offers(self._about(who, order), who.person))

    async def plan(self, request: Request) -> Response:
        def plan(who: Visitor, order: GridOrder) -> GridPlan:
            if grid := text(order, "grid"):
                return self.grids.plan(grid, _axes(order), who.person)
            return self.grids.plans.plan(self._about(who, order), _axes(order), who.person)

        return await _answered(request, plan)

    async def show(self, request: Request) -> Response:
        return await _answered(request, lambda who, order: self.grids.all(who.person))

    async def begin(self, request: Request) -> Response:
        def begin(who: Visitor, order: GridOrder) -> Started:
            asked, origin = self._asked(who, order)
            return Started(id=self.grids.begin(asked, _axes(order), who.person, origin, text(order, "once")))

        return await _answered(request, begin)

    async def news(self, request: Request) -> Response:
        after, wait = request.query_params.get("after", "-1"), request.query_params.get("wait", "1")
        if not after.removeprefix("-").isdecimal() or len(after) > 16 or wait not in ("0", "1"):
            return JSONResponse(Message(message="“after” must be a whole number, and “wait” 0 or 1."), 400)
        asked = request.path_params["grid_id"], visitor_of(request).person, int(after)
        watch = asyncio.ensure_future(self.grids.watch(*asked, LONG_POLL if wait == "1" else 0.0))
        closing = asyncio.ensure_future(self.closing.wait())
        try:
            await asyncio.wait({watch, closing}, return_when=asyncio.FIRST_COMPLETED)
            return JSONResponse(watch.result()) if watch.done() else JSONResponse(Message(message="The studio is closing."), 503)
        except UserError as error:
            return _refused(error)
        finally:
            watch.cancel()
            closing.cancel()

    async def stop(self, request: Request) -> Response:
        return await self._done(request, lambda grid, who, order: self.grids.stop(grid, who.person))

    async def go_on(self, request: Request) -> Response:
        return await self._done(request, lambda grid, who, order: self.grids.go_on(grid, who.person))

    async def change(self, request: Request) -> Response:
        return await self._done(request, lambda grid, who, order: self.grids.change(grid, _axes(order), who.person))

    async def again(self, request: Request) -> Response:
        return await self._done(request, lambda grid, who, order: self.grids.again(grid, text(order, "place"), who.person))

    async def look(self, request: Request) -> Response:
        def look(grid: str, who: Visitor, order: GridOrder) -> None:
            seen = order.get("seen")
            places = [each for each in seen[:MOST_SEEN] if isinstance(each, str)] if is_list(seen) else []
            self.grids.look(grid, who.person, text(order, "at"), places)

        return await self._done(request, look)

    async def remove(self, request: Request) -> Response:
        return await self._done(request, lambda grid, who, order: self.grids.remove(grid, who.person))

    async def ways(self, request: Request) -> Response:
        return await _answered(request, lambda who, order: self.grids.plans.ways(self._about(who, order)))

    async def sheet(self, request: Request) -> Response:
        def signed(grid: Grid, pictures: Mapping[Place, str], face: Face) -> bytes:
            sign, data = self.studio.gallery.leaving.sign_together(pictures.values()), grid_export.picture(grid, pictures, face)
            return sign(data, "image/png") if sign else data

        return await self._given_out(request, signed, "grid.png", "image/png")

    async def page(self, request: Request) -> Response:
        return await self._given_out(request, grid_export.page, "grid.html", "text/html")

    async def _given_out(self, request: Request, make: Make, name: str, kind: str) -> Response:
        grid_id, visitor = request.path_params["grid_id"], visitor_of(request)

        def made() -> bytes:
            held = self.grids.grid(grid_id, visitor.person), self.grids.ids(grid_id, visitor.person)
            return make(*held, lambda picture, longest: self._face(visitor, picture))

        try:
            async with self._turn:
                data = await asyncio.to_thread(made)
        except BookError:
            raise
        except UserError as error:
            return _refused(error)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
        return Response(data, media_type=kind, headers=headers)

    def _face(self, visitor: Visitor, picture_id: str) -> Shown | None:
        """A picture as this person sees it; None for one that cannot be read."""
        record = self.studio.picture(picture_id)
        if record is None:
            return None
        veil = self.studio.safety.veil(picture_id, visitor.user, visitor.checker) if visitor.checker else ""
        leaving = self.studio.gallery.leaving
        try:
            veiled = io.BytesIO(instead(record.path, veil, (record.width, record.height))) if veil else None
            image = Image.open(veiled) if veiled else Image.open(record.path, formats=("PNG",))
            return Shown(image, leaving.label(picture_id), leaving.sign(picture_id))
        except (UserError, OSError, ValueError):
            return None

    def _asked(self, who: Visitor, order: GridOrder) -> tuple[Asked, str]:
        """A form, or a picture as it was made; and whose settings these are."""
        if picture := text(order, "picture"):
            return self.studio.varied(picture, who.person), picture
        kind, values = text(order, "kind"), order.get("values")
        if kind not in KINDS or not is_table(values):
            raise UserError(UNSAID)
        return read(KINDS[kind], values), self.studio.origin(origin_of(values), who.person)

    def _about(self, who: Visitor, order: GridOrder) -> Asked:
        """The same, also where it could not be drawn as it stands; or what a grid varies."""
        if grid := text(order, "grid"):
            return self.grids.grid(grid, who.person).base
        if picture := text(order, "picture"):
            return self.studio.varied(picture, who.person)
        return drawing_of(order.get("kind"), order.get("values"))

    async def _done(self, request: Request, act: Callable[[str, Visitor, GridOrder], object]) -> Response:
        def done(who: Visitor, order: GridOrder) -> object:
            act(request.path_params["grid_id"], who, order)
            return OK

        return await _answered(request, done)


def _axes(order: GridOrder) -> Axes:
    found = order.get("axes")
    rows = [table(each) for each in found] if is_list(found) else []
    return [(text(row, "name"), text(row, "typed")) for row in rows]


async def _answered(request: Request, work: Callable[[Visitor, GridOrder], object]) -> Response:
    """What the work answers, in a thread."""
    visitor, order = visitor_of(request), cast(GridOrder, table(request.scope.get("json")))
    try:
        return JSONResponse(await asyncio.to_thread(work, visitor, order))
    except BookError:
        raise  # the server says that it is not to be had now
    except UserError as error:
        return _refused(error)


def _refused(error: UserError) -> Response:
    return JSONResponse(Message(message=str(error)), 404 if isinstance(error, NotYours) else 422)
