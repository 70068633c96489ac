"""Listings: the pictures that a query finds, in their order, as numbers; a window of them is then a look-up, however many there are.

The whole list comes out of SQLite as one row. Row by row, each would wait for Python's lock, which a job that draws may hold.
"""

from __future__ import annotations

import sqlite3
import threading
from array import array
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Literal, cast, get_args

from models.errors import UserError
from pipelines.gallery.conditions import Conditions, conditions
from pipelines.gallery.person import Person
from pipelines.gallery.query import Query
from pipelines.job_book.book import JobBook
from pipelines.job_book.reader import Reader

Group = Literal["", "day", "job", "board"]
Order = Literal["newest", "oldest", "rating"]
KEPT = 12  # listings that are remembered
DAY = 86_400  # seconds
TIME = {"newest": "created desc, shelf.number desc", "oldest": "created, shelf.number"}
# Who sees pictures of others is not told how those rate them.
ME, MINE = "with me (user) as (values (?), (?)) ", "shelf.user in (select user from me)"
ORDERS = {**TIME, "rating": f"{MINE} * rating desc, {MINE} * favourite desc, {TIME['newest']}"}
# Of each group: a number for its heading, and what its groups are ordered by.
NEWEST_OF_JOB = "max(created) over (partition by shelf.job)"
BOARDS = """left join (select board, picture, name from on_board join board on number = board where {} and deleted is null) on picture"""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question to the gallery. `offset`: minutes east of Greenwich, where the person is."""

    query: Query
    group: Group = ""
    order: Order = "newest"
    offset: int = 0


@dataclass(frozen=True, slots=True)
class Listing:
    """`numbers`: of the pictures, in order; by board, one that is on two boards stands there twice.

    `heads`: for each group its heading's number (a day since 1970, a picture of the job, a board) and how many pictures it has.
    """

    version: int
    numbers: array[int]
    heads: tuple[tuple[int, int], ...]
    notes: tuple[str, ...]


class Listings:
    """Safe to use from any thread."""

    def __init__(self, book: JobBook, reader: Reader) -> None:
        self._book, self._reader = book, reader
        self._kept: OrderedDict[tuple[Person, Asked], Listing] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, person: Person, asked: Asked) -> Listing:
        """Raises `BookError`, and `UserError` for what takes too long."""
        with self._lock:  # who asks the same meanwhile gets the same
            known = self._kept.get((person, asked))
            version = self._book.shelf_version
            if known is None or known.version != version:
                known = self._listed(person, asked, version)
            self._kept[person, asked] = known
            self._kept.move_to_end((person, asked))
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return known

    def _listed(self, person: Person, asked: Asked, version: int) -> Listing:
        with self._reader.reading() as db:
            found = conditions(db, asked.query, person)
            statement, values = _statement(found, asked, person)
            numbers, heads = db.execute(statement, values).fetchone()
        return Listing(version, array("q", _numbers(numbers)), tuple(_runs(heads)), tuple(found.notes))


def heading(db: sqlite3.Connection, group: Group, number: int) -> tuple[str, str]:
    """The key and the title of a heading: a day and nothing, a job and nothing, a board and its name."""
    if group == "day":
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=number)).date().isoformat(), ""
    if group == "job":
        row = db.execute("select job, '' from shelf where number = ?", (number,)).fetchone()
    else:
        row = db.execute("select id, name from board where number = ?", (number,)).fetchone()
    return row or ("", "")


def group_named(name: str) -> Group:
    if name not in get_args(Group):
        raise UserError(f"There is no group “{name[:20]}”. There are day, job and board.")
    return cast(Group, name)


def order_named(name: str) -> Order:
    if name not in get_args(Order):
        raise UserError(f"There is no order “{name[:20]}”. There are newest, oldest and rating.")
    return cast(Order, name)


def _statement(found: Conditions, asked: Asked, person: Person) -> tuple[str, tuple[object, ...]]:
    head, order = _grouped(asked)
    source, before = "shelf", ()
    if found.match:
        source = "words join shelf on shelf.number = words.rowid"
    if asked.group == "board":
        source, before = f"{source} {BOARDS.format(person.sees_board)} = shelf.number", person.seen_boards
    first, mine = (ME, person.users) if asked.order == "rating" else ("", ())
    where = " and ".join(found.where)
    matches = "words match ? and " if found.match else ""
    inner = f"select shelf.number as n, {head} as head from {source} where {matches}{where} order by {order}"
    values = (*mine, *before, *((found.match,) if found.match else ()), *found.values)
    return f"{first}select group_concat(n), group_concat(head) from ({inner})", values


def _grouped(asked: Asked) -> tuple[str, str]:
    """The heading's number, and the order."""
    inside = ORDERS[asked.order]
    down = "" if asked.order == "oldest" else "desc"
    by_time = asked.order != "rating"  # then days come in their order by themselves
    in_job = ORDERS["oldest"] if by_time else inside  # as they were drawn
    day = f"cast((created + {60 * asked.offset}) / {DAY} as integer)"
    return {
        "": ("0", inside),
        "day": (day, inside if by_time else f"{day} desc, {inside}"),
        "job": ("max(shelf.number) over (partition by shelf.job)", f"{NEWEST_OF_JOB} {down}, shelf.job, {in_job}"),
        "board": ("coalesce(board, 0)", f"board is null, lower(name), board, {inside}"),
    }[asked.group]


def _numbers(text: str | None) -> Iterator[int]:
    return map(int, text.split(",")) if text else iter(())


def _runs(text: str | None) -> Iterator[tuple[int, int]]:
    return ((int(head), len(list(run))) for head, run in groupby(text.split(","))) if text else iter(())
