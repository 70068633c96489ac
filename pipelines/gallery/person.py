"""A person before the gallery, and which pictures are that person's."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.errors import UserError
from pipelines.job_book.rows import NOBODY

MOST = 10_000  # pictures in one order
AT_ONCE = 500  # values in one statement
NOT_YOURS = "There is no such picture among yours any more. Reload the page."


@dataclass(frozen=True, slots=True)
class Person:
    """`owner`: sits at the machine, and has the pictures of nobody as well: those that were found in the folder."""

    user: str
    owner: bool = False

    @property
    def users(self) -> tuple[str, str]:
        return self.user, NOBODY if self.owner else self.user


def own(db: sqlite3.Connection, ids: Sequence[str], person: Person) -> list[int]:
    """The numbers of those pictures that are this person's. Raises `UserError` when none is, or when there are too many."""
    if len(ids) > MOST:
        raise UserError(f"{len(ids):,} pictures are too many at once; {MOST:,} are the most. Choose fewer.")
    known = [each for each in dict.fromkeys(ids) if each.isascii()]  # as all that are given out are
    numbers = [number for part in parts(known) for number in _own(db, part, person)]
    if not numbers:
        raise UserError(NOT_YOURS)
    return numbers


def parts(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for begin in range(0, len(values), AT_ONCE):
        yield values[begin : begin + AT_ONCE]


def _own(db: sqlite3.Connection, ids: Sequence[str], person: Person) -> list[int]:
    # Of the pictures the index of ids alone is read: their rows are long.
    query = f"select number from picture join shelf using (number) where id in ({marks(len(ids))}) and shelf.user in (?, ?)"
    return [row[0] for row in db.execute(query, (*ids, *person.users))]


def marks(count: int) -> str:
    return ", ".join("?" * count)
