"""Comments in the book: what people say of a picture, or of a spot of it. Who may is said in `pipelines.gallery.comments`.

`picture`: its id, which a book that is made again keeps, as it does not its number. `parent`: the id of the comment that began the
thread, "" for that one itself. `name`: of who wrote it, then; "" for the owner of the studio. `text`: "" for a beginning that its writer
took back while others had answered. `x`, `y`: the spot, as shares of the picture's width and height; null for none. `settled`, `settler`,
`settler_name`: when a thread was settled and by whom; null and "" for an open one.
`place`: of a thread among those of its picture, from 1; 0 for an answer.

A picture that leaves the book takes its comments along, by a trigger.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

Row = dict[str, Any]  # Any: whatever a damaged book holds
TABLES = (
    """create table comment (
      number integer primary key autoincrement, id text unique not null, picture text not null, parent text not null default '',
      user text not null, name text not null, text text not null, x real, y real, created real not null,
      settled real, settler text not null default '', settler_name text not null default '', place integer not null default 0,
      check (typeof(text) = 'text' and typeof(created) = 'real' and (x is null) = (y is null)))""",
    "create index comment_picture on comment (picture, parent, number)",
    "create index comment_user on comment (user, created)",
    "create table commented (picture text primary key, comments integer not null) without rowid",  # how many: to count them takes time
    """create trigger comment_made after insert on comment begin
      insert into commented values (new.picture, 1) on conflict (picture) do update set comments = comments + 1; end""",
    """create trigger comment_gone after delete on comment begin
      update commented set comments = comments - 1 where picture = old.picture; end""",
    """create trigger comments_gone after delete on picture begin
      delete from comment where picture = old.id; delete from commented where picture = old.id; end""",
)


def create(db: sqlite3.Connection) -> None:
    for statement in TABLES:
        db.execute(statement)


def salvaged(db: sqlite3.Connection) -> Sequence[Row]:
    """The rows that can be read."""
    return list(_rows(db))


def put_back(db: sqlite3.Connection, rows: Sequence[Row]) -> None:
    """What was salvaged of an older book, where its picture is there. A row that is not sound is left out, as is an answer to nothing."""
    for row in rows:
        try:
            db.execute(f"insert or ignore into comment ({', '.join(row)}) values ({', '.join('?' * len(row))})", [*row.values()])
        except sqlite3.Error:
            continue
    db.execute("delete from comment where picture not in (select id from picture)")
    db.execute("delete from comment where parent <> '' and parent not in (select id from comment)")


def _rows(db: sqlite3.Connection) -> Iterator[Row]:
    try:
        yield from (dict(row) for row in db.execute("select * from comment order by number"))
    except sqlite3.Error:
        return
