"""Job routes: how one stands, stopping it, skipping to its next picture; and how the worker is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.errors import UserError
from pipelines import BookError, Studio
from pipelines.images.mp4 import is_there
from pipelines.people.roles import may
from ui.door.reach import Reach
from ui.door.roles import Visitor, user_of, visitor_of
from ui.messages import Message, StudioState, You

LONG_POLL = 20.0  # seconds
LONGEST_ID = 64  # characters


class JobRoutes:
    """The handlers of a job's routes."""

    def __init__(self, studio: Studio, closing: asyncio.Event, reach: Reach) -> None:
        self.studio, self.closing, self.reach = studio, closing, reach

    async def live(self, request: Request) -> Response:
        """The progress of a job as soon as it is newer than `after`, or after 20 seconds."""
        after = request.query_params.get("after", "-1")
        if not after.removeprefix("-").isdecimal() or len(after) > 16:
            return sorry("“after” must be a whole number.", 400)
        watch = asyncio.ensure_future(self.studio.watch(request.path_params["job_id"], user_of(request), int(after), LONG_POLL))
        closing = asyncio.ensure_future(self.closing.wait())
        try:
            await asyncio.wait({watch, closing}, return_when=asyncio.FIRST_COMPLETED)
            return JSONResponse(watch.result()) if watch.done() else sorry("The studio is closing.", 503)
        except UserError as error:
            return sorry(str(error), 404)
        finally:
            watch.cancel()
            closing.cancel()

    async def current(self, request: Request) -> Response:
        state, message = self.studio.engine_state()
        visitor = visitor_of(request)
        job, newest, comments, desk, user = None, "", 0, None, visitor.user
        picture = request.query_params.get("picture", "")[:LONGEST_ID]
        try:
            job = await asyncio.to_thread(self.studio.current, user)
            recent = await asyncio.to_thread(self.studio.recent, user, 1, visitor.owns)
            newest = recent[0].id if recent else ""
            desk = await asyncio.to_thread(self.studio.gallery.boards.desk, visitor.person)
            comments = await asyncio.to_thread(self.studio.gallery.comments.version, picture, visitor.person) if picture else 0
        except BookError as error:  # the page stays, and says so
            state, message = ("troubled", str(error)) if state == "ready" else (state, message)
        news: StudioState = {
            "job": job,
            "newest": newest,
            "engine": {"state": state, "message": message},
            "library": self.studio.library.version,
            "login": bool(visitor.session),
            "you": self._you(visitor),
            "comments": comments,
            "desk": desk,
            "mp4": is_there(),
        }
        return JSONResponse(news)

    def _you(self, visitor: Visitor) -> You:
        return {
            "name": visitor.name,
            "role": visitor.role,
            "may": may(visitor.role),
            "board": visitor.board,
            "held": visitor.held,
            "bare": visitor.bare,
            "note": self.reach.trouble if visitor.owns else visitor.note,
        }

    async def stop(self, request: Request) -> Response:
        return await self._act(self.studio.stop, request)

    async def skip(self, request: Request) -> Response:
        return await self._act(self.studio.skip, request)

    async def healthz(self, request: Request) -> Response:
        return JSONResponse({"ok": True})

    async def _act(self, action: Callable[[str, str], None], request: Request) -> Response:
        try:
            await asyncio.to_thread(action, request.path_params["job_id"], user_of(request))
        except UserError as error:
            return sorry(str(error), 404)
        return JSONResponse({"ok": True})


def sorry(message: str, status: int) -> JSONResponse:
    return JSONResponse(Message(message=message), status)
