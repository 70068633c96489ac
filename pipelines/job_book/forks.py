"""Forks in the book: which picture's settings a picture was begun with, and whose settings are kept from others.

job.origin       the id of the picture whose settings the job was begun with, another person's or one's own, or ""
fork             the same of each picture that has one. `origin`: an id, which a book that is made again keeps, as it does not its number;
                 of a picture that has come from elsewhere, the content of that picture (`lineage.py`)
shelf.hidden     1: how the picture was made is told to nobody but who made it
"""

from __future__ import annotations

import sqlite3

TABLES = (
    "alter table job add column origin text not null default ''",
    "alter table shelf add column hidden integer not null default 0",
    "create table fork (picture integer primary key, origin text not null)",
    "create index fork_origin on fork (origin)",
    "create trigger fork_gone after delete on picture begin delete from fork where picture = old.number; end",
)


def create(db: sqlite3.Connection) -> None:
    for statement in TABLES:
        db.execute(statement)


def put(db: sqlite3.Connection, picture: int, origin: str) -> None:
    """In the transaction that enters a picture."""
    if origin:
        db.execute("insert or replace into fork values (?, ?)", (picture, origin))
