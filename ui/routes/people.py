"""People routes: links are made, shown and taken back, people are held or let do less, and one moves to another device.

    GET  /people                            -> PeopleNews: the ways in that one cares for, and who came by them
    POST /people/links                      LinkOrder -> NewLink, with an address that nobody can read again
    POST /people/links/{id}/address         -> NewLink: another address; the one before opens nothing any more
    POST /people/links/{id}/change          LinkOrder: what of it is to be another; what is not named stays
    POST /people/links/{id}/thank           closes it kindly: for a day, who came by it may take their own pictures along
    POST /people/links/{id}/take-back       closes it, with all that hangs on it
    POST /people/persons/{n}/role           {role}: the most that this person may be
    POST /people/persons/{n}/hold           {held}: whether their jobs wait and they ask for no others
    POST /people/hold                       {held}: the same for all guests, which only the owner may
    POST /people/move                       -> NewLink: for another device of one's own, good once and for five minutes

A refusal is a sentence, with status 422.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from models.errors import UserError
from models.json_values import is_number, is_whole, table, text
from pipelines import BookError, Studio
from pipelines.people.records import CHECKERS, Checker
from pipelines.people.roles import is_role
from pipelines.people.rules import Wanted
from ui.door.reach import Reach, qr_picture
from ui.door.roles import Role, visitor_of
from ui.messages import Done, LinkOrder, Message, NewLink, PeopleNews

LONGEST_ID = 64  # characters


class PeopleRoutes:
    """The handlers of `/people`."""

    def __init__(self, studio: Studio, reach: Reach) -> None:
        self.people, self.care, self.reach, self.safety = studio.people, studio.people.care, reach, studio.safety

    async def news(self, request: Request) -> Response:
        def news() -> PeopleNews:
            return {**self.people.news(visitor_of(request).maker), "no_checker": self.safety.missing}

        return await _answered(news)

    async def make(self, request: Request) -> Response:
        def made() -> NewLink:
            link, token = self.care.make(visitor_of(request).maker, self._checkable(_wanted(_order(request))))
            return self._shown(request, link.id, token)

        return await _answered(made)

    def _checkable(self, wanted: Wanted, before: Wanted | None = None) -> Wanted:
        """Raises `UserError` where a link would begin to ask for a checker that is not here."""
        if wanted.checker and self.safety.missing and not (before and before.checker):
            raise UserError(f"The safety checker is not here. {self.safety.missing}")
        return wanted

    async def renew(self, request: Request) -> Response:
        def made() -> NewLink:
            link, token = self.care.renew(visitor_of(request).maker, _link(request))
            return self._shown(request, link.id, token)

        return await _answered(made)

    async def change(self, request: Request) -> Response:
        def act() -> None:
            order = _order(request)
            self.care.change(visitor_of(request).maker, _link(request), lambda before: self._checkable(_changed(order, before), before))

        return await _done(act)

    async def thank(self, request: Request) -> Response:
        return await _done(lambda: self.care.thank(visitor_of(request).maker, _link(request)))

    async def take_back(self, request: Request) -> Response:
        return await _done(lambda: self.care.take_back(visitor_of(request).maker, _link(request)))

    async def set_role(self, request: Request) -> Response:
        return await _done(lambda: self.care.set_role(visitor_of(request).maker, request.path_params["person"], _role(_order(request))))

    async def hold(self, request: Request) -> Response:
        return await _done(lambda: self.care.hold(visitor_of(request).maker, request.path_params["person"], _held(request)))

    async def hold_all(self, request: Request) -> Response:
        return await _done(lambda: self.care.hold_all(_held(request)))

    async def move(self, request: Request) -> Response:
        return await _answered(lambda: self._shown(request, "", self.people.move(visitor_of(request).session)))

    def _shown(self, request: Request, link_id: str, token: str) -> NewLink:
        found = [f"{place}/join/{token}" for place in self.reach.addresses(request)]
        return {"id": link_id, "address": found[0], "qr": qr_picture(found[0]), "addresses": found, "note": self.reach.note(request)}


async def _answered(work: Callable[[], object]) -> Response:
    """What the work answers, in a thread."""
    try:
        return JSONResponse(await asyncio.to_thread(work))
    except BookError:
        raise  # the server says that it is not to be had now
    except UserError as error:
        return JSONResponse(Message(message=str(error)), 422)


async def _done(work: Callable[[], object]) -> Response:
    def act() -> Done:
        work()
        return {}

    return await _answered(act)


def _order(request: Request) -> LinkOrder:
    return LinkOrder(**table(request.scope.get("json")))  # pyright: ignore[reportArgumentType]  # values are looked at one by one


def _link(request: Request) -> str:
    return str(request.path_params["link_id"])[:LONGEST_ID]


def _held(request: Request) -> bool:
    held = _order(request).get("held")
    if not isinstance(held, bool):
        raise UserError("Say whether, with “held” true or false.")
    return held


def _role(order: LinkOrder) -> Role:
    role = order.get("role")
    if not is_role(role):
        raise UserError("Say what they may be: viewer, commenter, artist or co-owner.")
    return role


def _wanted(order: LinkOrder) -> Wanted:
    return _changed(order, Wanted("", _role(order), text(order, "board")[:LONGEST_ID]))


def _changed(order: LinkOrder, before: Wanted) -> Wanted:
    """With what the order names."""
    quota, bounds = before.quota, {name: _whole(order, name) for name in ("jobs", "people") if name in order}
    if "megapixels" in order:
        quota = replace(quota, megapixels=_number(order, "megapixels"))
    if "gigabytes" in order:
        gigabytes = _number(order, "gigabytes")
        quota = replace(quota, disk=None if gigabytes is None else int(gigabytes * 1e9))
    quota = replace(quota, jobs=bounds.get("jobs", quota.jobs))
    found = replace(before, quota=quota, people=bounds.get("people", before.people))
    if "hours" in order:
        hours = _number(order, "hours")
        found = replace(found, ends=None if hours is None else time.time() + hours * 3_600)
    named = text(order, "name")[:200] if "name" in order else before.name
    bare = order.get("bare") is True if "bare" in order else before.bare
    checker = _checker(order) if "checker" in order else before.checker
    return replace(found, name=named, role=_role(order) if "role" in order else before.role, bare=bare, checker=checker)


def _checker(order: LinkOrder) -> Checker:
    """Nothing is off; what is no word of ours is refused rather than taken for off."""
    said = order.get("checker") or ""
    for checker in CHECKERS:
        if said == checker:
            return checker
    raise UserError("Say what the safety checker does: “blur” or “block”, or nothing.")


def _number(order: LinkOrder, name: str) -> float | None:
    value = order.get(name)
    if value in (None, ""):
        return None
    if not is_number(value) or abs(value) > 1e9:
        raise UserError(f"“{name}” must be a number, or nothing.")
    return float(value)


def _whole(order: LinkOrder, name: str) -> int | None:
    value = order.get(name)
    if value in (None, ""):
        return None
    if not is_whole(value) or abs(value) > 10**9:
        raise UserError(f"“{name}” must be a whole number, or nothing.")
    return value
