"""Together routes: who is at a shared board, and what is drawn there.

    GET  /together/{board}?page=&after=VERSION   -> TogetherNews as soon as it is newer, or after 20 seconds; &wait=0: at once
    POST /together/{board}  {picture, follows, lets}: what one has open there, whom one follows, whether others may follow one

`page`: what a page calls itself, as somebody may have several. As long as it asks, its person is at the board. A board that is not shared
with who asks is answered with nothing and status 204, whether there is one or not: that one has become private is no mistake of the page.
"""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.json_values import is_whole, table, text
from pipelines import BookError, Studio
from pipelines.services.safety import board_veiled
from pipelines.services.seats import Guest
from pipelines.services.together import NotShared
from ui.door.roles import visitor_of
from ui.messages import Done, TogetherOrder
from ui.routes.jobs import LONG_POLL, LONGEST_ID, sorry


class TogetherRoutes:
    """The handlers of `/together`."""

    def __init__(self, studio: Studio, closing: asyncio.Event) -> None:
        self.together, self.closing = studio.together, closing

    async def news(self, request: Request) -> Response:
        after, wait = request.query_params.get("after", "-1"), request.query_params.get("wait", "1")
        page = request.query_params.get("page", "")
        if not after.removeprefix("-").isdecimal() or len(after) > 16 or wait not in ("0", "1") or len(page) > LONGEST_ID:
            return sorry("“after” must be a whole number, “wait” 0 or 1, and “page” a short word.", 400)
        board, timeout = request.path_params["board_id"][:LONGEST_ID], LONG_POLL if wait == "1" else 0.0
        watch = asyncio.ensure_future(self.together.watch(board, _guest(request), page, int(after), timeout))
        ends = [asyncio.ensure_future(self.closing.wait()), asyncio.ensure_future(_gone(request))]
        try:
            await asyncio.wait({watch, *ends}, return_when=asyncio.FIRST_COMPLETED)
            if not watch.done():
                return sorry("The studio is closing.", 503)
            news, veiled = watch.result(), visitor_of(request).checker
            return Response(await asyncio.to_thread(board_veiled, news) if veiled else news, media_type="application/json")
        except BookError:
            raise
        except NotShared:
            return Response(status_code=204)
        finally:
            for each in (watch, *ends):
                each.cancel()

    async def look(self, request: Request) -> Response:
        order = TogetherOrder(**table(request.scope.get("json")))  # pyright: ignore[reportArgumentType]  # values are looked at one by one
        picture, follows = text(order, "picture")[:LONGEST_ID], order.get("follows", 0)
        seen = picture, follows if is_whole(follows) else 0, order.get("lets") is not False
        try:
            await asyncio.to_thread(self.together.look, request.path_params["board_id"][:LONGEST_ID], _guest(request), *seen)
        except BookError:
            raise
        except NotShared:
            return Response(status_code=204)
        return JSONResponse(Done())


def _guest(request: Request) -> Guest:
    visitor = visitor_of(request)
    return Guest(visitor.person, "" if visitor.owns else visitor.name, visitor.role)


async def _gone(request: Request) -> None:
    """Until nobody waits for the answer any more."""
    while (await request.receive())["type"] != "http.disconnect":
        pass
