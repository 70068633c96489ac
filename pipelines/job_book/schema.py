"""The schema of the job book, as an ordered list of migrations: a book of any earlier version comes to this one step by step.

`pragma user_version` is the number of steps that a book has taken. Version 0.1 of Atelier wrote none, so its books begin at the first.
A step once published is never changed; what changes the tables is a new step at the end, and `tests/test_book_start.py` takes an
old book through all of them.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path

from pipelines.job_book import brought, comments, desks, forks, grids, lineage, people, shelf, verdicts

APPLICATION = 0x41746C72  # `pragma application_id`: "Atlr"
BACKUPS = 3  # books of earlier versions that are kept beside the book

# The partial indexes make the next job a look-up whose cost does not grow with the jobs that have ended.
TABLES = (
    """create table if not exists job (
      number integer primary key autoincrement, id text unique not null, user text not null, request text not null,
      state text not null default 'waiting', message text not null default '',
      created real not null, started real, ended real, turn integer)""",
    "create index if not exists job_waiting on job (user, number) where state = 'waiting'",
    "create index if not exists job_active on job (user, number) where state in ('waiting', 'running')",
    "create index if not exists job_turn on job (turn)",
    "create index if not exists job_to_come on job (user, number) where turn is null",
    "create table if not exists user_turn (user text primary key, last real not null)",
    """create table if not exists picture (
      number integer primary key autoincrement, id text unique not null, job text not null, user text not null, path text not null,
      width integer not null, height integer not null, seed integer not null, created real not null, request text not null)""",
    "create index if not exists picture_user on picture (user, number)",
    "create index if not exists picture_job on picture (job, number)",
    "create table if not exists input (id text not null, user text not null, primary key (id, user)) without rowid",
)


def _tables(db: sqlite3.Connection) -> None:
    """What version 0.1 came to in the end: `turn` is a job's number in the fair order once that has come to it, and null before."""
    columns = {row["name"] for row in db.execute("pragma table_info(job)")}
    if columns and "turn" not in columns:
        db.execute("alter table job add column turn integer")
        db.execute("update job set turn = 0 where state <> 'waiting'")
    _run(db, TABLES)
    db.execute(f"pragma application_id = {APPLICATION}")


def _seats(db: sqlite3.Connection) -> None:
    """Turns are counted: who waits has a seat in the order of service (see order.py). Before, the wall clock gave them out."""
    _run(
        db,
        (
            "create table seat (user text primary key, place integer not null) without rowid",
            "create index seat_place on seat (place)",
            "insert into seat select user, row_number() over (order by last, rowid) from user_turn",
            "drop table user_turn",
            "alter table job add column owner integer not null default 0",  # 1: of who sits at the machine
            "create index picture_path on picture (path)",
            "create table counter (name text primary key, value integer not null) without rowid",
        ),
    )


def _queue(db: sqlite3.Connection) -> None:
    """A job is drawn batch by batch: it can give way and go on. What the ring knows moves from jobs to seats; `job.turn` is not used."""
    number = "max(1, cast(case when json_valid(request) then coalesce(json_extract(request, '$.{}'), 1) else 1 end as integer))"
    _run(
        db,
        (
            "drop index job_turn",
            "drop index job_to_come",
            *(f"alter table job add column {column}" for column in JOB_COLUMNS),
            f"""update job set batches = {number.format("batch_count")}, each = {number.format("batch_size")},
              words = case when json_valid(request) then coalesce(substr(json_extract(request, '$.prompt'), 1, 300), '') else '' end,
              sort = case when json_valid(request) then coalesce(json_extract(request, '$.kind'), '') else '' end
              where state in ('waiting', 'running')""",
            *(f"alter table seat add column {column}" for column in SEAT_COLUMNS),
            "create unique index job_once on job (user, once) where once <> ''",
            "create table pause (user text primary key) without rowid",  # "": the whole studio
            "create table pace (sort text primary key, seconds real not null) without rowid",
        ),
    )


JOB_COLUMNS = (
    "lane integer not null default 1",  # 0 now, 1 next, 2 when idle
    "place real",  # among one's own jobs; null: its number
    "batches integer not null default 1",
    "each integer not null default 1",  # pictures of a batch
    "batch integer not null default 0",  # the first one that is not drawn
    "pictures integer not null default 0",  # those before this one are drawn or were skipped
    "stored text not null default '{}'",  # see Progress.stored
    "begun integer not null default 0",  # what `pictures` was when it was begun last
    "used real not null default 0",  # seconds of the device
    "work real not null default 0",  # of one batch: see pace.py
    "sort text not null default ''",  # its kind, and what else its pace depends on
    "words text not null default ''",  # the beginning of what people know it by
    "held real",  # since when somebody edits it
    "withdrawn integer not null default 0",  # 1: was cancelled, and can come back
    "once text not null default ''",  # what its person called this order, so that it is taken once
)
SEAT_COLUMNS = (
    "turn integer not null default -1",
    "balance real not null default 0",
    "slack real not null default 0",
    "ahead integer not null default 0",
    "called text not null default ''",  # turns, with spaces between
)


def _chains(db: sqlite3.Connection) -> None:
    """A job carries along what is to be done after it."""
    _run(db, (f"alter table job add column {column} text not null default ''" for column in ("chain", "chain_words")))
    _run(db, ("alter table job add column tried integer not null default 0",))  # times that a restart has begun it anew


MIGRATIONS: tuple[Callable[[sqlite3.Connection], None], ...] = (
    _tables,
    _seats,
    _queue,
    shelf.create,
    brought.create,
    people.create,
    _chains,
    comments.create,
    people.create_leaving,
    people.thanks,
    desks.create,
    forks.create,
    verdicts.create,
    lineage.create,
    verdicts.create_revealed,
    grids.create,
)
VERSION = len(MIGRATIONS)


def version_of(db: sqlite3.Connection) -> int:
    return db.execute("pragma user_version").fetchone()[0]


def is_book(db: sqlite3.Connection) -> bool:
    """Whether this is a book of Atelier of any version, and not the file of another program."""
    if db.execute("pragma application_id").fetchone()[0] == APPLICATION:
        return True
    columns = {row["name"] for row in db.execute("pragma table_info(job)")}
    return version_of(db) == 0 and {"number", "id", "user", "request", "state", "created"} <= columns


def migrate(db: sqlite3.Connection, path: Path | None = None) -> None:
    """Takes every step that is missing, each whole or not at all. `path`: where the book is; as it was found it is copied beside it."""
    for step in range(found := version_of(db), VERSION):
        if path and step == found:  # what lies between was never anybody's, and would push the copy of this one out
            _back_up(db, path, step)
        db.execute("begin immediate")
        try:
            MIGRATIONS[step](db)
            db.execute(f"pragma user_version = {step + 1}")
            db.execute("commit")
        except BaseException:
            with suppress(sqlite3.Error):
                db.execute("rollback")
            raise


def backup_name(path: Path, version: int) -> Path:
    return path.with_name(f"{path.name}.version-{version}")


def _back_up(db: sqlite3.Connection, path: Path, version: int) -> None:
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        with closing(sqlite3.connect(part)) as copy:
            db.backup(copy)
        os.replace(part, backup_name(path, version))
    finally:
        part.unlink(missing_ok=True)
    for old in range(version - BACKUPS + 1):
        backup_name(path, old).unlink(missing_ok=True)


def _run(db: sqlite3.Connection, statements: Iterable[str]) -> None:
    for statement in statements:  # one by one: a script would end the transaction
        db.execute(statement)
