"""Pictures that were brought in from folders of the owner's: rows among all others, with where each lies and whose settings it carries.

    picture.place      the whole path of one that lies outside the outputs folder; null for what lies in it
    picture.program    of one that was brought in: the program that wrote its settings, or ""; null for what was drawn here
    folder             a folder that is looked through, and how far that is
    brought            each file of it that was looked at: size, time and content then, what it was, and the picture that it became

A file whose size or time is another than it was is not the picture that was entered: it becomes a picture of its own when its folder is
looked through again. Equal content is one picture, whatever it is called, and stays it when its file is moved within these folders.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from pipelines.job_book import forks
from pipelines.job_book.file import BookFile
from pipelines.job_book.rows import NOBODY, request_of
from pipelines.job_book.shelf import Entered, put
from pipelines.requests.request import input_ids, seed_of

FolderState = Literal["reading", "stopped", "done", "failed"]
Outcome = Literal["settings", "none", "no picture", "unreadable", "same"]
OUTCOMES: tuple[Outcome, ...] = ("settings", "none", "no picture", "unreadable", "same")
NO_JOB = ""  # their job
PLACES = ".brought"  # no such folder is: what lies outside has no path below the outputs folder, and needs one of its own
COLUMNS = "id, job, user, path, width, height, seed, created, request, place, program"
Row = dict[str, Any]  # Any: whatever a damaged book holds
TABLES = ("folder", "brought", "picture")


@dataclass(frozen=True, slots=True)
class Mark:
    """A file as it was when it was looked at: bytes, and nanoseconds since 1970."""

    size: int
    modified: int


@dataclass(frozen=True, slots=True)
class Looked:
    """A file that was looked at. `request`: JSON, "null" where nothing is known. `model`: the name of the checkpoint, as it says.

    `copy`: the path below the outputs folder that it was copied to, or "". `origin`: the content of the picture whose settings it was
    begun with, or "".
    """

    path: str
    mark: Mark
    outcome: Outcome
    digest: str = ""
    size: tuple[int, int] = (0, 0)  # width and height
    request: str = "null"
    program: str = ""
    model: str = ""
    copy: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder that was brought in. `counts`: files by what they were."""

    id: str
    path: Path
    copies: bool
    state: FolderState
    message: str
    counts: dict[str, int] = field(default_factory=dict[str, int])


def create(db: sqlite3.Connection) -> None:
    """The step of the schema (`pipelines.job_book.schema`)."""
    for statement in (
        "alter table picture add column place text",
        "alter table picture add column program text",
        """create table folder (
          number integer primary key autoincrement, id text unique not null, path text unique not null, copies integer not null default 0,
          state text not null, message text not null default '')""",
        """create table brought (
          folder text not null, path text not null, size integer not null, modified integer not null, outcome text not null,
          digest text not null, picture text not null, primary key (folder, path)) without rowid""",
        "create index brought_digest on brought (digest) where picture <> ''",
        "create index brought_picture on brought (picture) where picture <> ''",
    ):
        db.execute(statement)


class Brought:
    """Safe to use from any thread. Everything here raises `BookError` when the file of the book cannot be read or written."""

    def __init__(self, file: BookFile) -> None:
        self._file = file

    def folders(self) -> list[Folder]:
        """The newest first."""
        counts: dict[str, dict[str, int]] = {}
        for row in self._file.rows("select folder, outcome, count(*) as n from brought group by folder, outcome"):
            counts.setdefault(row["folder"], {})[row["outcome"]] = row["n"]
        return [
            Folder(row["id"], Path(row["path"]), bool(row["copies"]), row["state"], row["message"], counts.get(row["id"], {}))
            for row in self._file.rows("select * from folder order by number desc")
        ]

    def open_folder(self, path: Path, copies: bool) -> str:
        """Begins with a folder, or begins again: what was looked at and has not changed is not looked at again. Returns its id."""
        with self._file.transaction() as db:
            known = db.execute("select id from folder where path = ?", (str(path),)).fetchone()
            folder_id = known["id"] if known else secrets.token_urlsafe(16)
            if not known:
                db.execute("insert into folder (id, path, state) values (?, ?, 'reading')", (folder_id, str(path)))
            db.execute("update folder set copies = ?, state = 'reading', message = '' where id = ?", (int(copies), folder_id))
        return folder_id

    def settle(self, folder_id: str, state: FolderState, message: str = "") -> None:
        with self._file.transaction() as db:
            db.execute("update folder set state = ?, message = ? where id = ?", (state, message, folder_id))

    def known(self, folder_id: str) -> dict[str, Mark]:
        """The files of a folder that were looked at, as they were then."""
        rows = self._file.rows("select path, size, modified from brought where folder = ?", (folder_id,))
        return {row["path"]: Mark(row["size"], row["modified"]) for row in rows}

    def same(self, digest: str) -> bool:
        """Whether a picture with this content is there."""
        return bool(self._file.rows("select 1 from brought where digest = ? and picture <> '' limit 1", (digest,)))

    def enter(self, folder_id: str, looked: Iterable[Looked]) -> dict[Outcome, int]:
        """Files that were looked at, and those of them that are pictures and were not there yet. All or none. Returns how many of each."""
        counts = dict.fromkeys(OUTCOMES, 0)
        with self._file.transaction() as db:
            for one in looked:
                outcome, picture = _entered(db, folder_id, one)
                counts[outcome] += 1
                values = folder_id, one.path, one.mark.size, one.mark.modified, outcome, one.digest, picture
                db.execute("insert or replace into brought values (?, ?, ?, ?, ?, ?, ?)", values)
        return counts

    def mark_of(self, picture_id: str) -> Mark | None:
        """The file of a picture as it was when it was entered; None when another picture has come into its place."""
        rows = self._file.rows("select size, modified from brought where picture = ? limit 1", (picture_id,))
        return Mark(rows[0]["size"], rows[0]["modified"]) if rows else None

    def runs(self) -> bool:
        """Whether a job runs now."""
        return bool(self._file.rows("select 1 from job where state in ('waiting', 'running') and state = 'running' limit 1"))


def _entered(db: sqlite3.Connection, folder_id: str, one: Looked) -> tuple[Outcome, str]:
    """What it was, and the id of its picture, "" where it is none of its own."""
    if one.outcome not in ("settings", "none"):
        return one.outcome, ""
    query = "select folder, path, picture from brought where digest = ? and picture <> '' limit 1"
    known = db.execute(query, (one.digest,)).fetchone()
    if known is None:
        return one.outcome, _insert(db, one)
    touched = (known["folder"], known["path"]) == (folder_id, one.path)
    if not touched and os.path.lexists(known["path"]):
        return "same", ""
    _move(db, known["picture"], one.path)  # the picture of then, under a new name or with a new time
    return one.outcome, known["picture"]


def _move(db: sqlite3.Connection, picture: str, path: str) -> None:
    db.execute("update brought set picture = '' where picture = ?", (picture,))
    db.execute("update picture set place = ? where id = ? and place is not null", (path, picture))


def _insert(db: sqlite3.Connection, one: Looked) -> str:
    """The row of a picture, and what the gallery finds it by."""
    picture_id = secrets.token_urlsafe(16)
    request, _ = request_of(one.request)
    path, place = (one.copy, None) if one.copy else (f"{PLACES}/{picture_id}", one.path)
    created = one.mark.modified / 1e9
    values = picture_id, NO_JOB, NOBODY, path, *one.size, seed_of(request), created, one.request, place, one.program
    number = db.execute(f"insert into picture ({COLUMNS}) values ({', '.join('?' * len(values))})", values).lastrowid
    put(db, Entered(number or 0, NOBODY, NO_JOB, created, one.size, seed_of(request), one.request, one.model))
    forks.put(db, number or 0, one.origin)
    db.executemany("insert or ignore into input values (?, ?)", [(input_id, NOBODY) for input_id in input_ids(request)])
    return picture_id


def put_back(db: sqlite3.Connection, salvaged: dict[str, Sequence[Row]]) -> None:
    """What was salvaged of these tables from an older book."""
    for table in TABLES:
        for row in salvaged.get(table, ()):
            names = [name for name in row if name != "number"]
            query = f"insert or ignore into {table} ({', '.join(names)}) values ({', '.join('?' * len(names))})"
            db.execute(query, [row[name] for name in names])


def salvaged(db: sqlite3.Connection) -> dict[str, Sequence[Row]]:
    """The rows of these tables that can be read; of the pictures those that lie outside the outputs folder."""
    return {table: list(_rows(db, table)) for table in TABLES}


def _rows(db: sqlite3.Connection, table: str) -> Iterator[Row]:
    which = f"where place is not null and path like '{PLACES}/%'" if table == "picture" else ""
    try:
        yield from (dict(row) for row in db.execute(f"select * from {table} {which}"))
    except sqlite3.Error:
        return
