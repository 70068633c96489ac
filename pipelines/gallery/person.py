"""A person before the gallery, and which pictures are that person's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.errors import UserError
from pipelines.job_book.rows import NOBODY

MOST = 10_000  # pictures in one order
AT_ONCE = 500  # values in one statement
OWN = "shelf.user in (?, ?)"
# Of boards: those of others that this person sees. `?`: the one board that their link shows; "" for all that are shared.
SHARED = "(board.shared and board.deleted is null and ? in ('', board.id))"
SHOWN = f"""(shelf.deleted is null and shelf.number in (select on_board.picture from on_board
  join board on board.number = on_board.board where {SHARED}))"""
# Of pictures that somebody sees: those whose settings they may know. `?`: whether their link tells those of others at all.
TOLD = f"({OWN} or (? and not shelf.hidden))"
NOT_YOURS = "There is no such picture among yours any more. Reload the page."


@dataclass(frozen=True, slots=True)
class Person:
    """`owner`: sits at the machine, and has the pictures of nobody as well: those that were found in the folder. `board`: the id of the one
    board that this person's link shows; "" for who sees all that are shared. `bare`: files leave without their settings, and how pictures
    of others were made is kept from this person.
    """

    user: str
    owner: bool = False
    board: str = ""
    bare: bool = False

    @property
    def users(self) -> tuple[str, str]:
        return self.user, NOBODY if self.owner else self.user

    @property
    def sees(self) -> str:
        """What holds for the rows of the shelf that this person sees, with the values of `seen`: their own, and those on shared boards."""
        return f"({OWN} or {SHOWN})"

    @property
    def seen(self) -> tuple[str, ...]:
        return (*self.users, self.board)

    @property
    def sees_board(self) -> str:
        """The same for boards, with the values of `seen_boards`: a person's own, and shared ones."""
        return f"(board.user = ? or {SHARED})"

    @property
    def seen_boards(self) -> tuple[str, str]:
        return self.user, self.board

    @property
    def reads(self) -> str:
        """What holds for those of them whose settings this person may know, with the values of `read`."""
        return f"({self.sees} and {TOLD})"

    @property
    def read(self) -> tuple[object, ...]:
        return (*self.seen, *self.told)

    @property
    def told(self) -> tuple[object, ...]:
        """The values of `TOLD`."""
        return (*self.users, not self.bare)


def is_shown(db: sqlite3.Connection, picture_id: str, person: Person) -> bool:
    """Whether this person sees the picture: it is their own, or on a board that is shared with them."""
    query = f"select 1 from picture join shelf using (number) where picture.id = ? and {person.sees}"
    return picture_id.isascii() and db.execute(query, (picture_id, *person.seen)).fetchone() is not None


def is_told(db: sqlite3.Connection, picture_id: str, person: Person) -> bool:
    """Whether this person, who sees the picture, may know how it was made."""
    query = f"select 1 from picture join shelf using (number) where picture.id = ? and {TOLD}"
    return picture_id.isascii() and db.execute(query, (picture_id, *person.told)).fetchone() is not None


def own(db: sqlite3.Connection, ids: Sequence[str], person: Person) -> list[int]:
    """The numbers of those pictures that are this person's. Raises `UserError` when none is, or when there are too many."""
    return _numbers(db, ids, OWN, person.users)


def visible(db: sqlite3.Connection, ids: Sequence[str], person: Person) -> list[int]:
    """The same of those that this person sees."""
    return _numbers(db, ids, person.sees, person.seen)


def _numbers(db: sqlite3.Connection, ids: Sequence[str], holds: str, values: Sequence[str]) -> list[int]:
    if len(ids) > MOST:
        raise UserError(f"{len(ids):,} pictures are too many at once; {MOST:,} are the most. Choose fewer.")
    known = [each for each in dict.fromkeys(ids) if each.isascii()]  # as all that are given out are
    numbers = [number for part in parts(known) for number in _held(db, part, holds, values)]
    if not numbers:
        raise UserError(NOT_YOURS)
    return numbers


def parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for begin in range(0, len(values), AT_ONCE):
        yield values[begin : begin + AT_ONCE]


def _held(db: sqlite3.Connection, ids: Sequence[str], holds: str, values: Sequence[str]) -> list[int]:
    # Of the pictures the index of ids alone is read: their rows are long.
    query = f"select number from picture join shelf using (number) where id in ({marks(len(ids))}) and {holds}"
    return [row[0] for row in db.execute(query, (*ids, *values))]


def marks(count: int) -> str:
    return ", ".join("?" * count)
