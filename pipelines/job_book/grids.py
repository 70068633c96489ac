"""Grids in the book: each a row with what it asks for, and its cells, which are ordinary jobs that say whose cell they are.

grid.axes        JSON of its axes, as `pipelines.grids.cells` writes them; what it means is known there
grid.left        cells that have no job yet; they count as jobs that wait, where it is a guest's
grid.state       "drawing", "stopped"
job.grid, cell   the id of the grid and the place in it; what follows a job (`following.py`) is of the same cell
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipelines.job_book.desks import desk_of
from pipelines.job_book.errors import NotYours
from pipelines.job_book.file import BookFile
from pipelines.job_book.order import sit_down
from pipelines.job_book.queue import MOST_WORDS, queued_as
from pipelines.job_book.room import Allowance, check_hour, check_room
from pipelines.job_book.rows import PictureRecord, picture_of, request_of
from pipelines.requests.request import Request, describe

DRAWING, STOPPED = "drawing", "stopped"
ENDED = ("stopped", "interrupted", "failed")
KEPT = "not exists (select 1 from shelf where shelf.number = picture.number and deleted is not null)"  # not in the bin
TABLES = (
    """create table grid (
      number integer primary key autoincrement, id text unique not null, user text not null, owner integer not null, request text not null,
      axes text not null, state text not null, left integer not null, megapixels real not null, words text not null, created real not null,
      board text not null, origin text not null, once text not null)""",
    "create index grid_user on grid (user, number)",
    "create unique index grid_once on grid (user, once) where once <> ''",
    "alter table job add column grid text not null default ''",
    "alter table job add column cell text not null default ''",
    "create index job_grid on job (grid, number) where grid <> ''",
)


def create(db: sqlite3.Connection) -> None:
    """The step of the schema (`pipelines.job_book.schema`)."""
    for statement in TABLES:
        db.execute(statement)


@dataclass(frozen=True, slots=True)
class GridRow:
    id: str
    user: str
    owner: bool
    request: Request
    note: str  # why `request` is not the whole of what was asked; "" when it is
    axes: object  # JSON
    state: str
    left: int
    megapixels: float  # of one cell
    words: str
    created: float
    origin: str  # the id of the picture that it was made around, or ""


@dataclass(frozen=True, slots=True)
class CellRow:
    """The newest job of a cell, and the newest picture that is kept of any of them. `picture`: its id, or ""."""

    job: str
    state: str
    message: str
    number: int
    picture: str = ""


class BookGrids:
    """Safe to use from any thread. Everything here raises `BookError` when the book cannot be read or written."""

    def __init__(self, file: BookFile, pictures: Path) -> None:
        self._file, self._pictures = file, pictures

    def add(
        self, request: Request, axes: object, count: int, user: str, owner: bool, allowance: Allowance, origin: str = "", once: str = ""
    ) -> str:
        """Returns its id. `allowance`: what its person may ask for, and what of it one cell does. Raises `UserError` where that is too
        much.
        """
        grid_id = secrets.token_urlsafe(16)
        with self._file.transaction() as db:
            if once and (known := db.execute("select id from grid where user = ? and once = ?", (user, once)).fetchone()):
                return known["id"]
            _check(db, user, owner, allowance, count)
            values = grid_id, user, int(owner), json.dumps(describe(request)), json.dumps(axes), DRAWING, count, allowance.megapixels
            values += request.words[:MOST_WORDS], time.time(), desk_of(db, user), origin, once
            columns = "id, user, owner, request, axes, state, left, megapixels, words, created, board, origin, once"
            db.execute(f"insert into grid ({columns}) values ({', '.join('?' * 13)})", values)
        return grid_id

    def one(self, grid_id: str) -> GridRow | None:
        rows = self._file.rows("select * from grid where id = ?", (grid_id,))
        return _grid(rows[0]) if rows else None

    def of(self, user: str, most: int) -> list[GridRow]:
        """This person's, the newest first."""
        return [_grid(row) for row in self._file.rows("select * from grid where user = ? order by number desc limit ?", (user, most))]

    def drawing(self) -> list[str]:
        """Ids of those that have cells to come."""
        return [row["id"] for row in self._file.rows("select id from grid where state = ? and left > 0", (DRAWING,))]

    def drawing_of(self, user: str) -> list[str]:
        """The same of one person, with those whose last cells are drawn."""
        return [row["id"] for row in self._file.rows("select id from grid where user = ? and state = ?", (user, DRAWING))]

    def cells(self, grid_id: str) -> dict[str, CellRow]:
        """By their places, in the order in which they were queued. Reads no request."""
        jobs = self._file.rows("select id, cell, state, message, number from job where grid = ? order by number", (grid_id,))
        query = f"""select job.cell, picture.id from job join picture on picture.job = job.id
          where job.grid = ? and {KEPT} order by picture.number"""
        pictures = {row["cell"]: row["id"] for row in self._file.rows(query, (grid_id,))}
        return {row["cell"]: CellRow(row["id"], row["state"], row["message"], row["number"], pictures.get(row["cell"], "")) for row in jobs}

    def begun(self, grid_id: str) -> list[str]:
        """The places of cells that have a job, in the order in which they were queued."""
        return [row["cell"] for row in self._file.rows("select cell from job where grid = ? order by number", (grid_id,))]

    def pictures(self, grid_id: str, but: Container[str]) -> list[PictureRecord]:
        """Those of its cells, without some that are known by their ids."""
        rows = self._file.rows("select picture.* from job join picture on picture.job = job.id where job.grid = ?", (grid_id,))
        return [picture_of(row, self._pictures) for row in rows if row["id"] not in but]

    def shown(self, grid_id: str, most: int) -> tuple[list[str], int, bool]:
        """The ids of a few of its pictures, how many cells have one, and whether a job of it waits or runs. Reads no request."""
        drawn = f"""select min(picture.id) as id from job join picture on picture.job = job.id where job.grid = ? and {KEPT}
          group by job.cell order by min(picture.number)"""
        ids = [row["id"] for row in self._file.rows(drawn, (grid_id,))]
        active = "select 1 from job where grid = ? and state in ('waiting', 'running') limit 1"
        return ids[:most], len(ids), bool(self._file.rows(active, (grid_id,)))

    def waits(self, grid_id: str) -> bool:
        """Whether a cell of it waits."""
        return bool(self._file.rows("select 1 from job where grid = ? and state = 'waiting' limit 1", (grid_id,)))

    def queue(self, grid_id: str, cell: str, request: Request, words: str, megapixels: float) -> bool:
        """The job of a cell. False where the grid does not go on, or the cell has one. What it asks for was asked for with the grid."""
        with self._file.transaction() as db:
            grid = _open(db, grid_id, cell)
            if grid is None:
                return False
            sit_down(db, grid["user"])
            named = secrets.token_urlsafe(16), grid["user"], json.dumps(describe(request)), time.time(), grid["owner"], megapixels
            named += words, grid["board"], grid["origin"], grid_id, cell
            columns = (
                "id, user, request, created, owner, megapixels, chain_words, board, origin, grid, cell, batches, each, work, sort, words"
            )
            db.execute(f"insert into job ({columns}) values ({', '.join('?' * 16)})", (*named, *queued_as(request)))
            return True

    def refuse(self, grid_id: str, cell: str, request: Request, message: str) -> None:
        """A cell that cannot be drawn, with the reason."""
        with self._file.transaction() as db:
            if grid := _open(db, grid_id, cell):
                now = time.time()
                named = secrets.token_urlsafe(16), grid["user"], json.dumps(describe(request)), "failed", message, now, now, grid_id, cell
                columns = "id, user, request, state, message, created, ended, grid, cell"
                db.execute(f"insert into job ({columns}) values ({', '.join('?' * 9)})", named)

    def stop(self, grid_id: str) -> list[str]:
        """No cell more is begun. Returns the ids of jobs that wait or run."""
        with self._file.transaction() as db:
            db.execute("update grid set state = ? where id = ?", (STOPPED, grid_id))
            query = "select id from job where grid = ? and state in ('waiting', 'running')"
            return [row["id"] for row in db.execute(query, (grid_id,))]

    def go_on(self, grid_id: str, places: Collection[str], allowance: Allowance) -> None:
        """What was stopped or has failed is drawn again. `places`: of all its cells. Raises `UserError` where it is too much now."""
        self.change(grid_id, None, places, allowance)

    def change(
        self,
        grid_id: str,
        axes: object,
        places: Collection[str],
        allowance: Allowance,
        moved: Mapping[str, str] | None = None,
        ending: Collection[str] = (),
    ) -> list[str]:
        """Other values, and with that other cells. Returns the ids of jobs that wait or run for cells that are no more. `moved`: where each
        cell that stays has its place now, when the axes themselves are others; without it, all stay where they are. `ending`: the ids of
        jobs that still run and were told to stop: their cells are to come again.
        """
        with self._file.transaction() as db:
            grid = db.execute("select * from grid where id = ?", (grid_id,)).fetchone()
            if grid is None:
                raise NotYours
            undrawn = "not exists (select 1 from picture where picture.job = job.id)"
            over = f"(state in {ENDED} or id in ({', '.join('?' * len(ending))}))"
            db.execute(f"update job set grid = '', cell = '' where grid = ? and {over} and {undrawn}", (grid_id, *ending))
            gone = _relaid(db, grid_id, moved) if moved is not None else []
            known = db.execute("select id, cell, state from job where grid = ?", (grid_id,)).fetchall()
            left = len(set(places) - {row["cell"] for row in known})
            db.execute("update grid set left = 0 where id = ?", (grid_id,))
            _check(db, grid["user"], bool(grid["owner"]), allowance, left)
            told = grid["axes"] if axes is None else json.dumps(axes)
            db.execute("update grid set axes = ?, left = ?, state = ? where id = ?", (told, left, DRAWING, grid_id))
            return [*gone, *(row["id"] for row in known if row["cell"] not in places and row["state"] in ("waiting", "running"))]

    def again(self, grid_id: str, cell: str) -> None:
        """A cell whose picture is gone, or that could not be drawn, is drawn once more."""
        with self._file.transaction() as db:
            query = "update job set grid = '', cell = '' where grid = ? and cell = ? and state not in ('waiting', 'running')"
            if db.execute(query, (grid_id, cell)).rowcount:
                db.execute("update grid set left = left + 1, state = ? where id = ?", (DRAWING, grid_id))

    def remove(self, grid_id: str) -> list[str]:
        """The grid; its pictures stay. Returns the ids of jobs that wait or run."""
        with self._file.transaction() as db:
            query = "select id from job where grid = ? and state in ('waiting', 'running')"
            active = [row["id"] for row in db.execute(query, (grid_id,))]
            db.execute("update job set grid = '', cell = '' where grid = ?", (grid_id,))
            db.execute("delete from grid where id = ?", (grid_id,))
            return active


def _relaid(db: sqlite3.Connection, grid_id: str, moved: Mapping[str, str]) -> list[str]:
    """Each job goes to its new place, or out of the grid. Returns the ids of jobs that wait or run and are out of it now."""
    jobs = db.execute("select id, cell, state from job where grid = ?", (grid_id,)).fetchall()
    out = [(row["id"],) for row in jobs if row["cell"] not in moved]
    db.executemany("update job set cell = ? where id = ?", [(moved[row["cell"]], row["id"]) for row in jobs if row["cell"] in moved])
    db.executemany("update job set grid = '', cell = '' where id = ?", out)
    return [row["id"] for row in jobs if row["cell"] not in moved and row["state"] in ("waiting", "running")]


def _check(db: sqlite3.Connection, user: str, owner: bool, allowance: Allowance, count: int) -> None:
    """Cells count as jobs, and as what they ask for; of the owner, whoever sits at the machine, nothing counts."""
    if not owner and count:
        check_room(db, user, owner, allowance.jobs, count)
        check_hour(db, user, Allowance(allowance.jobs, allowance.hourly, allowance.megapixels * count))


def _open(db: sqlite3.Connection, grid_id: str, cell: str) -> sqlite3.Row | None:
    """The grid, where it goes on and has no job for that cell; one that has none is begun with this."""
    grid = db.execute("select * from grid where id = ? and state = ?", (grid_id, DRAWING)).fetchone()
    if grid is None or db.execute("select 1 from job where grid = ? and cell = ?", (grid_id, cell)).fetchone():
        return None
    db.execute("update grid set left = max(0, left - 1) where id = ?", (grid_id,))
    return grid


def _grid(row: sqlite3.Row) -> GridRow:
    request, note = request_of(row["request"])
    try:
        axes: object = json.loads(row["axes"])
    except (ValueError, RecursionError):
        axes = []
    whose = row["id"], row["user"], bool(row["owner"]), request, note, axes
    return GridRow(*whose, row["state"], row["left"], row["megapixels"], row["words"], row["created"], row["origin"])
