"""Seats at a board: who has it open, in how many pages, which picture they look at, and whom they follow. Whoever has closed
the last page is gone a moment later.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

from pipelines.gallery.person import Person
from pipelines.people.roles import Role
from pipelines.services.answers import HerePerson

ASKS_AGAIN = 6.0  # seconds after an answer in which a page asks again; one that nobody sees asks every three
COMES_BACK = 2.0  # seconds after a page was closed in which it may open again, as by a reload
MOST_PAGES = 20  # of one person that are counted


@dataclass(frozen=True, slots=True)
class Guest:
    """Who comes to a board. `name`: as the others see it; "" for the owner of the studio."""

    person: Person
    name: str
    role: Role


@dataclass(slots=True)
class Seat:
    """`pages`: until when each counts as open. `picture`: the id of the one that its person has open; `follows`: another seat, or 0."""

    number: int
    guest: Guest
    pages: dict[str, float] = field(default_factory=dict[str, float])
    picture: str = ""
    follows: int = 0
    lets: bool = True


class Seats:
    """Safe to use from any thread. `clock`: in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._seats: dict[str, Seat] = {}  # by user
        self._last = 0

    def sit(self, guest: Guest, page: str) -> tuple[int, bool]:
        """A page has the board open until it leaves. Returns the number of the seat, and whether that is another one than before."""
        with self._lock:
            seat = self._seats.get(guest.person.user)
            changed = seat is None or seat.guest != guest
            if seat is None:
                self._last += 1
                self._seats[guest.person.user] = seat = Seat(self._last, guest)
            seat.guest = guest
            seat.pages[page] = math.inf
            while len(seat.pages) > MOST_PAGES:
                seat.pages.pop(next(iter(seat.pages)))
            return seat.number, changed

    def leave(self, guest: Guest, page: str, closed: bool) -> None:
        """The answer has gone out, or, `closed`, nobody waits for it any more."""
        with self._lock:
            seat = self._seats.get(guest.person.user)
            if seat and page in seat.pages:
                seat.pages[page] = self._clock() + (COMES_BACK if closed else ASKS_AGAIN)

    def look(self, user: str, picture: str, follows: int, lets: bool) -> None:
        """What somebody who is here has open, whom they follow, and whether others may follow them."""
        with self._lock:
            if seat := self._seats.get(user):
                seat.picture, seat.follows, seat.lets = picture, follows, lets

    def settle(self) -> None:
        """Whose pages are all closed is gone."""
        now = self._clock()
        with self._lock:
            for user, seat in list(self._seats.items()):
                seat.pages = {page: until for page, until in seat.pages.items() if until > now}
                if not seat.pages:
                    del self._seats[user]

    def next_change(self) -> float | None:
        """Seconds until somebody may be gone."""
        with self._lock:
            ends = [max(seat.pages.values()) for seat in self._seats.values() if seat.pages]
        soonest = min(ends, default=math.inf)
        return None if soonest == math.inf else max(0.0, soonest - self._clock())

    def told(self) -> list[HerePerson]:
        with self._lock:
            open_ones = {seat.number for seat in self._seats.values() if seat.lets}
            return [_told(seat, open_ones) for seat in self._seats.values()]

    def number_of(self, user: str) -> int:
        """0 for who is not here."""
        seat = self._seats.get(user)
        return seat.number if seat else 0

    def __len__(self) -> int:
        return len(self._seats)


def _told(seat: Seat, open_ones: Collection[int]) -> HerePerson:
    """Nobody follows who is gone, or does not want it, or oneself."""
    return {
        "seat": seat.number,
        "name": seat.guest.name,
        "role": seat.guest.role,
        "picture": seat.picture if seat.lets else "",
        "follows": seat.follows if seat.follows in open_ones and seat.follows != seat.number else 0,
        "lets": seat.lets,
    }
