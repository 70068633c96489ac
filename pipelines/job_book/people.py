"""People in the book: links, who came in by them, and their sessions. What they mean is said in `pipelines.people`.

link       a way in. `secret`: the hash of its token; of the password, which is a way in too, that of its words. `board`: the id of
           the one board that it shows, or "". `parent`: the link that its maker came by, which takes it along when it is taken back.
           `thanked`: when it was closed kindly; until it ends, who came by it takes their pictures along
person     somebody who came in. `user`: under what jobs and pictures are kept. `role`: the most that the owner lets them, or ""
session    a browser, by the hash of the token in its cookie
held       persons whose jobs the owner holds; "" stands for all guests
desk       the board that a person draws onto: see `pipelines.job_book.desks`, which makes it
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Row = dict[str, Any]  # Any: whatever a damaged book holds
TABLES = (
    """create table link (
      number integer primary key autoincrement, id text unique not null, secret text unique not null, name text not null,
      role text not null, board text not null default '', maker text not null, parent integer not null default 0,
      created real not null, ends real, people integer, jobs integer, megapixels real, disk integer, taken real)""",
    """create table person (
      number integer primary key autoincrement, user text unique not null, name text not null, created real not null,
      role text not null default '')""",
    """create table session (
      token text primary key, person integer not null, link integer not null, begun real not null, seen real not null, ended real)
      without rowid""",
    "create table held (user text primary key) without rowid",
    "alter table job add column megapixels real not null default 0",  # of the whole job, as it was asked for
    "create index job_created on job (user, created)",
)
LEAVING = ("alter table link add column bare integer not null default 0",)
PEOPLE = ("link", "person", "session", "held", "desk")


def create(db: sqlite3.Connection) -> None:
    for statement in TABLES:
        db.execute(statement)


def create_leaving(db: sqlite3.Connection) -> None:
    """Links say what leaves by them: `bare`, pictures without their settings."""
    for statement in LEAVING:
        db.execute(statement)


def thanks(db: sqlite3.Connection) -> None:
    db.execute("alter table link add column thanked real")


def salvaged(db: sqlite3.Connection) -> Mapping[str, Sequence[Row]]:
    """The rows of these tables that can be read."""
    return {table: list(_rows(db, table)) for table in PEOPLE}


def put_back(db: sqlite3.Connection, rows: Mapping[str, Sequence[Row]]) -> None:
    """What was salvaged of an older book. A row that is no sound one is left out: nobody comes in by half of a link."""
    for table in PEOPLE:
        for row in rows.get(table, ()):
            try:
                db.execute(f"insert or ignore into {table} ({', '.join(row)}) values ({', '.join('?' * len(row))})", [*row.values()])
            except sqlite3.Error:
                continue


def _rows(db: sqlite3.Connection, table: str) -> Iterator[Row]:
    try:
        yield from (dict(row) for row in db.execute(f"select * from {table}"))
    except sqlite3.Error:
        return
