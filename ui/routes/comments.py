"""Comment routes: what is said of a picture, by whoever sees it.

    GET  /picture/{id}/comments?before=      -> CommentList: the newest threads; before: those older than the thread of this number
    POST /picture/{id}/comments              CommentOrder {text, parent, spot} -> NewComment
    POST /comments/{id}/settle               {settled}: a thread, by the comment that began it
    POST /comments/{id}/delete               for who wrote it, whose picture it is, and the owner of the studio

A refusal is a sentence: 404 for a picture or comment that this visitor does not see, 422 for anything else.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.errors import UserError
from models.json_values import is_list, is_number, table, text
from pipelines import BookError, Studio
from pipelines.gallery.comments import NotThere, Spot, Writer
from ui.door.roles import visitor_of
from ui.messages import CommentOrder, Done, Message, NewComment

DIGITS = 15
LONGEST_ID = 64  # characters


class CommentRoutes:
    """The handlers of `/picture/{id}/comments` and `/comments`."""

    def __init__(self, studio: Studio) -> None:
        self.comments = studio.gallery.comments

    async def show(self, request: Request) -> Response:
        return await _answered(lambda: self.comments.of(_picture(request), visitor_of(request).person, _before(request)))

    async def add(self, request: Request) -> Response:
        def added() -> NewComment:
            order = _order(request)
            said, parent = text(order, "text"), text(order, "parent")[:LONGEST_ID]
            return {"id": self.comments.add(_picture(request), _writer(request), said, parent, _spot(order))}

        return await _answered(added)

    async def settle(self, request: Request) -> Response:
        def settled() -> Done:
            wanted = _order(request).get("settled")
            if not isinstance(wanted, bool):
                raise UserError("Say whether, with “settled” true or false.")
            self.comments.settle(_comment(request), _writer(request), wanted)
            return {}

        return await _answered(settled)

    async def remove(self, request: Request) -> Response:
        def removed() -> Done:
            self.comments.remove(_comment(request), visitor_of(request).person)
            return {}

        return await _answered(removed)


async def _answered(work: Callable[[], object]) -> Response:
    """What the work answers, in a thread."""
    try:
        return JSONResponse(await asyncio.to_thread(work))
    except BookError:
        raise  # the server says that it is not to be had now
    except UserError as error:
        return JSONResponse(Message(message=str(error)), 404 if isinstance(error, NotThere) else 422)


def _order(request: Request) -> CommentOrder:
    return CommentOrder(**table(request.scope.get("json")))  # pyright: ignore[reportArgumentType]  # values are looked at one by one


def _picture(request: Request) -> str:
    return str(request.path_params["picture_id"])[:LONGEST_ID]


def _comment(request: Request) -> str:
    return str(request.path_params["comment_id"])[:LONGEST_ID]


def _writer(request: Request) -> Writer:
    visitor = visitor_of(request)
    return Writer(visitor.person, "" if visitor.owns else visitor.name)


def _before(request: Request) -> int:
    said = request.query_params.get("before", "0")
    if not said.isascii() or not said.isdecimal() or len(said) > DIGITS:
        raise UserError("“before” must be a whole number.")
    return int(said)


def _spot(order: CommentOrder) -> Spot | None:
    spot = order.get("spot")
    if spot is None:
        return None
    if is_list(spot) and len(spot) == 2 and is_number(x := spot[0]) and is_number(y := spot[1]) and 0 <= x <= 1 and 0 <= y <= 1:
        return float(x), float(y)
    raise UserError("“spot” must be two shares of the picture's width and height, or nothing.")
