"""Queue routes: one's jobs from all tabs, and what is done with them.

    GET  /queue?after=VERSION           -> QueueNews as soon as it is newer, or after 20 seconds; &wait=0: at once;
                                           &heat=WORD: with what that word looks at, and &nth=N where there are several of its spelling
    POST /queue/move       {job, before, lane}      a waiting job before another of one's own, or to the end of a lane
    POST /queue/cancel     {jobs} or {running}      jobs by their ids, or all of one's own that wait; running: also what is drawn
    POST /queue/undo       {jobs}                   what was cancelled comes back to its place
    POST /queue/pause      {paused, whole}          one's own jobs; whole: the studio, which only the owner may
    POST /queue/duplicate  {job, once}              another one like it
    POST /queue/take       {job}                    -> TakenJob: out of the queue for editing, for half an hour
    POST /queue/give_back  {job}                    as it was
    POST /queue/put_back   {job, request}           another request in its place

All others answer with QueueDone. A refusal is a sentence: 404 for a job that is not one's own, 409 for one that has gone on meanwhile,
403 for what only the owner may, 422 for anything else. The owner may move, cancel and bring back everybody's jobs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.errors import UserError
from models.json_values import is_list, is_table
from pipelines import BookError, NotYours, Studio, TooLate, describe, restore
from pipelines.services.live_heat import Word
from ui.door.roles import only, user_of, visitor_of
from ui.messages import Message, QueueDone, QueueOrder, TakenJob

LONG_POLL = 20.0  # seconds
LONGEST_ID = 64  # characters
MOST_IDS = 1_000
LONGEST_WORD = 200  # characters
Act = Callable[[str, bool, QueueOrder], QueueDone | TakenJob]


class OwnerOnly(UserError):
    """Only the owner may do this."""


class QueueRoutes:
    """The handlers of `/queue`. `acts`: by the last part of their address."""

    def __init__(self, studio: Studio, closing: asyncio.Event) -> None:
        self.queue, self.closing = studio.queue, closing
        names = (self.move, self.cancel, self.undo, self.pause, self.duplicate, self.take, self.give_back, self.put_back)
        self.acts = {act.__name__: self._route(act) for act in names}

    async def news(self, request: Request) -> Response:
        after, wait = request.query_params.get("after", "-1"), request.query_params.get("wait", "1")
        if not after.removeprefix("-").isdecimal() or len(after) > 16 or wait not in ("0", "1"):
            return _sorry("“after” must be a whole number, and “wait” 0 or 1.", 400)
        asked = user_of(request), visitor_of(request).owns, int(after)
        watch = asyncio.ensure_future(self.queue.watch(*asked, LONG_POLL if wait == "1" else 0.0, _heat(request)))
        closing = asyncio.ensure_future(self.closing.wait())
        try:
            await asyncio.wait({watch, closing}, return_when=asyncio.FIRST_COMPLETED)
            return JSONResponse(watch.result()) if watch.done() else _sorry("The studio is closing.", 503)
        finally:
            watch.cancel()
            closing.cancel()

    def move(self, user: str, owner: bool, order: QueueOrder) -> QueueDone:
        job = _id(order.get("job"))
        self.queue.move(job, user, owner, _id(order.get("before", ""), empty=True), _word(order.get("lane", "")))
        return {"jobs": [job]}

    def cancel(self, user: str, owner: bool, order: QueueOrder) -> QueueDone:
        if "jobs" in order:
            return {"jobs": self.queue.cancel(_ids(order["jobs"]), user, owner)}
        return {"jobs": self.queue.cancel_all(user, _flag(order.get("running", False)))}

    def undo(self, user: str, owner: bool, order: QueueOrder) -> QueueDone:
        jobs = _ids(order.get("jobs"))
        self.queue.restore(jobs, user, owner)
        return {"jobs": jobs}

    def pause(self, user: str, owner: bool, order: QueueOrder) -> QueueDone:
        pauses, whole = _flag(order.get("paused")), _flag(order.get("whole", False))
        if whole and not owner:
            raise OwnerOnly(only("owner"))
        self.queue.pause_all(pauses) if whole else self.queue.pause(user, pauses)
        return {"jobs": []}

    def duplicate(self, user: str, owner: bool, order: QueueOrder) -> QueueDone:
        return {"jobs": [self.queue.duplicate(_id(order.get("job")), user, owner, _id(order.get("once", ""), empty=True))]}

    def take(self, user: str, owner: bool, order: QueueOrder) -> TakenJob:
        job = _id(order.get("job"))
        return {"job": job, "request": describe(self.queue.take(job, user))}

    def give_back(self, user: str, owner: bool, order: QueueOrder) -> QueueDone:
        job = _id(order.get("job"))
        self.queue.give_back(job, user)
        return {"jobs": [job]}

    def put_back(self, user: str, owner: bool, order: QueueOrder) -> QueueDone:
        job, values = _id(order.get("job")), order.get("request")
        if not is_table(values):
            raise UserError("A request is a table of its fields.")
        self.queue.put_back(job, restore(values), user, owner)
        return {"jobs": [job]}

    def _route(self, act: Act) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            body: object = request.scope.get("json")
            if not is_table(body):
                return _sorry("Send a table of JSON.", 400)
            order = QueueOrder(**body)  # pyright: ignore[reportArgumentType]  # names and values are looked at one by one
            try:
                return JSONResponse(await asyncio.to_thread(act, user_of(request), visitor_of(request).owns, order))
            except BookError:
                raise  # the list of jobs cannot be read or written, and that is answered for all routes alike
            except UserError as error:
                return _sorry(str(error), STATUS.get(type(error), 422))

        return answer


STATUS: dict[type[UserError], int] = {NotYours: 404, TooLate: 409, OwnerOnly: 403}


def _heat(request: Request) -> Word | None:
    text, number = request.query_params.get("heat"), request.query_params.get("nth", "")
    if text is None:
        return None
    return Word(text[:LONGEST_WORD], int(number) if number.isascii() and number.isdecimal() and len(number) < 5 else 0)


def _id(value: object, empty: bool = False) -> str:
    if not isinstance(value, str) or len(value) > LONGEST_ID or not (value or empty):
        raise UserError("Say which job is meant, by its id.")
    return value


def _ids(value: object) -> list[str]:
    if not is_list(value) or not 0 < len(value) <= MOST_IDS:
        raise UserError(f"Say which jobs are meant, by their ids: {MOST_IDS:,} at most.")
    return list(dict.fromkeys(_id(each) for each in value))


def _word(value: object) -> str:
    if not isinstance(value, str):
        raise UserError("A job stands in one of the lanes now, next and idle.")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise UserError("Say true or false.")
    return value


def _sorry(message: str, status: int) -> JSONResponse:
    return JSONResponse(Message(message=message), status)
