"""Verdicts of the safety checker on finished pictures. A picture without one was not looked at.

verdict          `picture`: its number; `near`: 1 where the checker objects
input_verdict    the same of input pictures, by their ids
revealed         what a person wants to see all the same: `shown` is the id of a picture or an input, `number` counts
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from pipelines.job_book.file import BookFile

TABLES = (
    "create table verdict (picture integer primary key, near integer not null)",
    "create table input_verdict (input text primary key, near integer not null) without rowid",
    "create trigger verdict_gone after delete on picture begin delete from verdict where picture = old.number; end",
    "alter table link add column checker text not null default ''",  # "", "blur" or "block"
)


REVEALED = "create table revealed (number integer primary key autoincrement, user text not null, shown text not null, unique (user, shown))"


def create(db: sqlite3.Connection) -> None:
    for statement in TABLES:
        db.execute(statement)


def create_revealed(db: sqlite3.Connection) -> None:
    db.execute(REVEALED)


def reveal(file: BookFile, user: str, shown: str, most: int) -> None:
    """Of all people together `most` are remembered. Raises `BookError`."""
    with file.transaction() as db:
        db.execute("insert or ignore into revealed (user, shown) values (?, ?)", (user, shown))
        db.execute("delete from revealed where number <= (select max(number) from revealed) - ?", (most,))


def has_revealed(file: BookFile, user: str, shown: str) -> bool:
    return bool(file.rows("select 1 from revealed where user = ? and shown = ?", (user, shown)))


def put(file: BookFile, picture_id: str, near: bool) -> None:
    """Raises `BookError`."""
    with file.transaction() as db:
        db.execute("insert or replace into verdict select number, ? from picture where id = ?", (int(near), picture_id))


def cleared(file: BookFile, ids: Iterable[str]) -> set[str]:
    """Those of them that were looked at, and to which nothing objects."""
    found: set[str] = set()
    for picture_id in ids:
        rows = file.rows("select near from verdict join picture on number = picture where id = ?", (picture_id,))
        found |= {picture_id} if rows and not rows[0]["near"] else set()
    return found


def of_input(file: BookFile, input_id: str) -> bool | None:
    """Whether the checker objects to an input picture; None for one that was not looked at."""
    rows = file.rows("select near from input_verdict where input = ?", (input_id,))
    return bool(rows[0]["near"]) if rows else None


def put_input(file: BookFile, input_id: str, near: bool) -> None:
    """Raises `BookError`."""
    with file.transaction() as db:
        db.execute("insert or replace into input_verdict values (?, ?)", (input_id, int(near)))


def known(file: BookFile, picture_id: str) -> bool:
    return bool(file.rows("select 1 from verdict join picture on number = picture where id = ?", (picture_id,)))
