"""Salvage from a job book that is set aside: whose pictures are, which jobs wait. Rows that are damaged are left out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.job_book import comments, people
from pipelines.job_book.brought import salvaged
from pipelines.job_book.file import begins_well, connect
from pipelines.job_book.rows import is_inside

Row = dict[str, Any]  # Any: whatever a damaged book holds; what is used of it is looked at


@dataclass
class Salvage:
    pictures: dict[str, Row] = field(default_factory=dict[str, Row])  # by path, in the order of the book
    jobs: list[Row] = field(default_factory=list[Row])  # that waited or ran
    inputs: list[Row] = field(default_factory=list[Row])
    brought: dict[str, Sequence[Row]] = field(default_factory=dict[str, Sequence[Row]])  # see `pipelines.job_book.brought`
    people: Mapping[str, Sequence[Row]] = field(default_factory=dict[str, Sequence[Row]])  # see `pipelines.job_book.people`
    comments: Sequence[Row] = ()


def salvage(path: Path) -> Salvage:
    """Nothing, when nothing can be read."""
    if not path.is_file() or not begins_well(path):
        return Salvage()
    try:
        with closing(connect(path)) as db:
            db.execute("pragma writable_schema = on")  # so that a table is read although another one is damaged
            pictures = _rows(db, "picture", ("id", "user", "job", "path"))
            jobs = _rows(db, "job", ("id", "user", "request"), "where state in ('waiting', 'running')")
            inputs = _rows(db, "input", ("id", "user"), order="id")
            others, came, said = salvaged(db), people.salvaged(db), comments.salvaged(db)
    except (sqlite3.Error, UnicodeDecodeError):  # what SQLite says of a damaged schema holds its bytes
        return Salvage()
    return Salvage({row["path"]: row for row in _once(pictures) if is_inside(row["path"])}, _once(jobs), inputs, others, came, said)


def _rows(db: sqlite3.Connection, table: str, texts: Iterable[str], which: str = "", order: str = "number") -> list[Row]:
    """Those before a damaged place, and those behind it."""
    rows: dict[tuple[object, ...], Row] = {}
    for direction in ("asc", "desc"):
        with suppress(sqlite3.Error):
            for row in db.execute(f"select * from {table} {which} order by {order} {direction}"):
                rows[tuple(row)] = dict(row)
            break
    sound = [row for row in rows.values() if row["id"] and all(isinstance(row.get(name), str) for name in texts)]
    return sorted(sound, key=lambda row: row[order] if isinstance(row[order], int | str) else 0)


def _once(rows: list[Row]) -> list[Row]:
    """An id names one row: the first."""
    named: dict[str, Row] = {}
    for row in rows:
        named.setdefault(row["id"], row)
    return list(named.values())
