"""Finish routes: a person's finishes, and pictures that are finished by them.

    GET  /finishes                                            -> FinishList
    POST /finishes         {name, starts, steps, id}          -> {"id"}; with an id in the place of that one
    POST /finishes/delete  {id}                               -> {"ok": true}
    POST /finishes/step    {kind, values}                     -> FinishStepLine: what a form holds, as a step
    POST /finishes/plan    {picture, steps}                   -> {"message"}: the sizes that come of a picture, or what is wrong
    POST /finishes/apply   {ids, id, of} or {ids, steps, of}  -> {"count"}: so many pictures are in the queue, with a saved finish or these
                                                              steps. A long order comes in parts; `of`: pictures that are still to come

Refused is what cannot be done, with status 422 and a sentence.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.errors import UserError
from models.json_values import is_list, is_table, is_whole, table, text
from pipelines import KINDS, BookError, Person, Studio
from pipelines.services.answers import FinishList, FinishStepLine
from ui.door.roles import visitor_of
from ui.messages import FinishBegun, FinishOrder, Message, Started
from ui.parts.form import read

MOST_OF = 1_000_000


class FinishRoutes:
    """The handlers of `/finishes`."""

    def __init__(self, studio: Studio) -> None:
        self.finishes = studio.finishes

    async def show(self, request: Request) -> Response:
        return await _answered(request, lambda person, order: FinishList(finishes=self.finishes.all(person.user)))

    async def save(self, request: Request) -> Response:
        def save(person: Person, order: FinishOrder) -> Started:
            kept = text(order, "name"), order.get("steps"), text(order, "starts"), text(order, "id")
            return Started(id=self.finishes.save(person.user, *kept))

        return await _answered(request, save)

    async def delete(self, request: Request) -> Response:
        def delete(person: Person, order: FinishOrder) -> dict[str, bool]:
            self.finishes.delete(person.user, text(order, "id"))
            return {"ok": True}

        return await _answered(request, delete)

    async def step(self, request: Request) -> Response:
        return await _answered(request, lambda person, order: self._step(order))

    async def plan(self, request: Request) -> Response:
        def plan(person: Person, order: FinishOrder) -> Message:
            return Message(message=self.finishes.plan(text(order, "picture"), person, order.get("steps")))

        return await _answered(request, plan)

    async def apply(self, request: Request) -> Response:
        def apply(person: Person, order: FinishOrder) -> FinishBegun:
            return FinishBegun(count=self.finishes.apply(_ids(order), person, text(order, "id"), order.get("steps"), _of(order)))

        return await _answered(request, apply)

    def _step(self, order: FinishOrder) -> FinishStepLine:
        kind, values = text(order, "kind"), order.get("values")
        if kind not in KINDS or not is_table(values):
            raise UserError("Something was missing in what the page sent. Reload it.")
        return self.finishes.step(read(KINDS[kind], values))


def _ids(order: FinishOrder) -> list[str]:
    found = order.get("ids")
    ids = [each for each in found if isinstance(each, str)] if is_list(found) else []
    if not ids:
        raise UserError("Choose pictures first.")
    return list(dict.fromkeys(ids))


def _of(order: FinishOrder) -> int:
    value = order.get("of", 0)
    if not is_whole(value) or not 0 <= value <= MOST_OF:
        raise UserError("“of” must be the number of pictures of the whole order.")
    return value


async def _answered(request: Request, work: Callable[[Person, FinishOrder], object]) -> Response:
    """What the work answers, in a thread."""
    visitor, order = visitor_of(request), cast(FinishOrder, table(request.scope.get("json")))
    try:
        return JSONResponse(await asyncio.to_thread(work, visitor.person, order))
    except BookError:
        raise  # the server says that it is not to be had now
    except UserError as error:
        return JSONResponse(Message(message=str(error)), 422)
