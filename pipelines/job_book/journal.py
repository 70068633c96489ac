"""The journal of the gallery: what people decided about pictures, beside the book, so that a book that is lost costs no rating.

    outputs/.gallery/marks.jsonl        a line for each change, with all that is then known of that picture or board; the last one counts

Pictures say themselves how they were made, but not what somebody thinks of them. The book is the truth; this is read only when the book
is made again from the pictures. A line that is cut or damaged is left out.
"""

from __future__ import annotations

import json
import logging
import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from models.json_values import is_number, is_table, listed, text
from pipelines.job_book import forks
from pipelines.job_book.facts import spaced
from pipelines.job_book.rows import NOBODY, is_inside

log = logging.getLogger(__name__)

PLACE = Path(".gallery") / "marks.jsonl"
LONGEST = 1_000_000  # bytes of a line that is read
SPARE = 1_000  # lines that may be out of date before it is written anew
Values = dict[str, object]

PICTURE = """select json_object('picture', path, 'user', shelf.user, 'rating', rating, 'favourite', favourite, 'note', note,
  'deleted', deleted, 'hidden', hidden,
  'origin', (select origin from fork where picture = shelf.number),
  'boards', (select json_group_array(id) from on_board join board on number = board where picture = shelf.number))
  from shelf join picture using (number)"""
BOARD = """select json_object('board', id, 'user', user, 'name', name, 'created', created, 'deleted', deleted,
  'shared', shared) from board"""
MARKED = """where rating or favourite or hidden or note <> '' or shelf.number in (select number from shelf where deleted is not null)
  or shelf.number in (select picture from on_board) or shelf.number in (select picture from fork)"""


class Journal:
    """For one change at a time. What cannot be written is written the next time, with everything else."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / PLACE
        self._behind = False

    def add(self, db: sqlite3.Connection, lines: Sequence[str]) -> None:
        """`lines`: of what has changed and is in the book by now."""
        try:
            if self._behind:
                self.write(db)
                return
            self._path.parent.mkdir(exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write("".join(f"{line}\n" for line in lines))
        except OSError as error:
            self._behind = True
            log.warning("The journal of the gallery cannot be written now: %s", error)

    def tidy(self, db: sqlite3.Connection) -> None:
        """Writes it anew when it is missing, or much longer than it need be."""
        try:
            with self._path.open("rb") as file:
                lines = sum(1 for _ in file)
        except OSError:
            lines = 0
        count = sum(db.execute(f"select count(*) from ({query})").fetchone()[0] for query in (f"{PICTURE} {MARKED}", BOARD))
        if lines < count or lines > 2 * count + SPARE:
            self.write(db)

    def write(self, db: sqlite3.Connection) -> None:
        """All of it anew, whole or not at all."""
        part = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(exist_ok=True)
            with part.open("w", encoding="utf-8") as file:
                file.writelines(f"{line}\n" for line in lines_of(db))
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, self._path)
            self._behind = False
        except OSError as error:
            self._behind = True
            log.warning("The journal of the gallery cannot be written now: %s", error)


def lines_of(db: sqlite3.Connection) -> Iterator[str]:
    for query in (BOARD, f"{PICTURE} {MARKED}"):
        yield from (str(row[0]) for row in db.execute(query))


def lines_about(db: sqlite3.Connection, numbers: Iterable[int], boards: Iterable[int] = ()) -> list[str]:
    """A line for each of these pictures and boards."""
    found = [db.execute(f"{BOARD} where number = ?", (number,)).fetchone() for number in boards]
    found += [db.execute(f"{PICTURE} where shelf.number = ?", (number,)).fetchone() for number in numbers]
    return [str(row[0]) for row in found if row]


def bring_back(db: sqlite3.Connection, folder: Path) -> int:
    """Gives pictures that are in the book what the journal knows of them, by their paths. Returns how many."""
    pictures: dict[str, Values] = {}
    boards: dict[str, Values] = {}
    for values in _lines(folder / PLACE):
        if is_inside(path := values.get("picture")):
            pictures[path] = values
        elif name := text(values, "board"):
            boards[name] = values
    numbers = {name: _board(db, name, values) for name, values in boards.items()}
    known = {row[0]: row[1] for row in db.execute("select path, number from picture")}
    found = [path for path in pictures if path in known]
    for path in found:
        _picture(db, known[path], pictures[path], numbers)
        if _time(pictures[path]) is not None:
            db.execute("update shelf set bytes = ? where number = ?", (bytes_of(folder / path), known[path]))
    return len(found)


def _lines(path: Path) -> Iterator[Values]:
    try:
        with path.open("rb") as file:
            for line in iter(lambda: file.readline(LONGEST), b""):
                try:
                    values: object = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if is_table(values):
                    yield values
    except OSError:
        return


def _board(db: sqlite3.Connection, board_id: str, values: Values) -> int:
    row = (board_id, text(values, "user"), text(values, "name")[:100], _number(values, "created"), _time(values), values.get("shared") == 1)
    columns = "id, user, name, created, deleted, shared"
    return int(db.execute(f"insert or replace into board ({columns}) values (?, ?, ?, ?, ?, ?)", row).lastrowid or 0)


def _picture(db: sqlite3.Connection, number: int, values: Values, boards: dict[str, int]) -> None:
    """Whose it is, is known here too: without the book, nobody knows."""
    note, rating = text(values, "note"), min(max(int(_number(values, "rating")), 0), 5)
    marks = (rating, int(values.get("favourite") == 1), note, _time(values), int(values.get("hidden") == 1), number)
    db.execute("update shelf set rating = ?, favourite = ?, note = ?, deleted = ?, hidden = ? where number = ?", marks)
    forks.put(db, number, text(values, "origin"))
    on = [boards[each] for each in listed(values.get("boards")) if isinstance(each, str) and each in boards]
    db.executemany("insert or ignore into on_board values (?, ?)", [(board, number) for board in on])
    if user := text(values, "user"):
        db.execute("insert or ignore into input select input, ? from lineage where picture = ?", (user, number))
        for table in ("picture", "shelf"):
            db.execute(f"update {table} set user = ? where number = ? and user = ?", (user, number, NOBODY))
    index(db, [number])


def bytes_of(path: Path) -> int:
    """0 for what is not there."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def index(db: sqlite3.Connection, numbers: Iterable[int]) -> None:
    """Puts the notes and boards of pictures into the full-text index."""
    query = """select note, model, (select group_concat(' b' || board, '') from on_board where picture = shelf.number) from shelf
      where number = ?"""
    for number in numbers:
        note, model, boards = db.execute(query, (number,)).fetchone()
        marks = (f"m{model}" if model else "") + (boards or "")
        db.execute("update words set note = ?, marks = ? where rowid = ?", (spaced(note), marks, number))


def _number(values: Values, name: str) -> float:
    found = values.get(name)
    return float(found) if is_number(found) and abs(found) < 1e15 else 0.0


def _time(values: Values) -> float | None:
    return _number(values, "deleted") if is_number(values.get("deleted")) else None
