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
SHOWN = """(shelf.deleted is null and shelf.number in (select picture from on_board where board =
  (select number from board where id = ? and board.deleted is null)))"""
NOT_YOURS = "There is no such picture among yours any more. Reload the page."


@dataclass(frozen=True, slots=True)
class Person:
    """`owner`: sits at the machine, and has the pictures of nobody as well: those that were found in the folder. `board`: the id of one
    that is another person's and shown to this one, with what is kept on it; "" for none. `bare`: files leave without their settings, and
    how pictures of others were made is kept from this person.
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
        """What holds for the rows of the shelf that this person sees, with the values of `seen`: their own, and those on the board."""
        return f"({OWN} or {SHOWN})" if self.board else OWN

    @property
    def seen(self) -> tuple[str, ...]:
        return (*self.users, self.board) if self.board else self.users

    @property
    def reads(self) -> str:
        """What holds for those of them whose settings this person may know, with the values of `read`."""
        return OWN if self.bare else self.sees

    @property
    def read(self) -> tuple[str, ...]:
        return self.users if self.bare else self.seen

    def may_read(self, user: str) -> bool:
        """Whether this person, who sees a picture of `user`, may know how it was made."""
        return not self.bare or user in self.users


def is_shown(db: sqlite3.Connection, picture_id: str, person: Person) -> bool:
    """Whether this person sees the picture: it is their own, or on the board that is shown to them."""
    query = f"select 1 from picture join shelf using (number) where picture.id = ? and {person.sees}"
    return picture_id.isascii() and db.execute(query, (picture_id, *person.seen)).fetchone() is not None


def own(db: sqlite3.Connection, ids: Sequence[str], person: Person) -> list[int]:
    """The numbers of those pictures that are this person's. Raises `UserError` when none is, or when there are too many."""
    return visible(db, ids, Person(person.user, person.owner))


def visible(db: sqlite3.Connection, ids: Sequence[str], person: Person) -> list[int]:
    """The same of those that this person sees."""
    if len(ids) > MOST:
        raise UserError(f"{len(ids):,} pictures are too many at once; {MOST:,} are the most. Choose fewer.")
    known = [each for each in dict.fromkeys(ids) if each.isascii()]  # as all that are given out are
    numbers = [number for part in parts(known) for number in _seen(db, part, person)]
    if not numbers:
        raise UserError(NOT_YOURS)
    return numbers


def parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for begin in range(0, len(values), AT_ONCE):
        yield values[begin : begin + AT_ONCE]


def _seen(db: sqlite3.Connection, ids: Sequence[str], person: Person) -> list[int]:
    # Of the pictures the index of ids alone is read: their rows are long.
    query = f"select number from picture join shelf using (number) where id in ({marks(len(ids))}) and {person.sees}"
    return [row[0] for row in db.execute(query, (*ids, *person.seen))]


def marks(count: int) -> str:
    return ", ".join("?" * count)
