"""The bin: what was thrown away stays there for 30 days, and longer while another picture needs it; then its file is removed.

A picture is needed while one that stays was made from it: its pixels are among the input pictures that the other one names. They are
compared when its time has come and not before, as all of it has to be read for that.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.errors import UserError
from pipelines.gallery.answers import GalleryBin
from pipelines.gallery.marks import Changes
from pipelines.gallery.person import Person
from pipelines.images.clip_file import beside
from pipelines.images.decode import normalise
from pipelines.images.store import content_ids
from pipelines.job_book.reader import Reader
from pipelines.job_book.rows import is_inside
from pipelines.job_book.shelf import LEAVING

log = logging.getLogger(__name__)

DAYS = 30
LOOK_EVERY = 3_600.0  # seconds
AT_ONCE = 100  # pictures that are looked up together
SHARE = 0.2  # of the time, at most, that is spent on removing: a job that runs has the rest
BEGUN = 0.05  # seconds that are counted for a picture at least
NEEDED = """(exists (select 1 from content join lineage using (input) join shelf as child on child.number = lineage.picture
    where content.picture = shelf.number and child.number <> shelf.number and (child.deleted is null or child.deleted > 0))
  or exists (select 1 from content join job on state in ('waiting', 'running') and instr(request, input) > 0
    where content.picture = shelf.number))"""


@dataclass(frozen=True, slots=True)
class Due:
    """A picture whose time in the bin is over. `path`: relative to the outputs folder."""

    number: int
    id: str
    user: str
    path: str
    bytes: int


Removed = Callable[[Due], None]


class Bin:
    """Safe to use from any thread. `removed` hears of each picture that is gone."""

    def __init__(self, changes: Changes, reader: Reader, removed: Removed, clock: Callable[[], float] = time.time) -> None:
        self._changes, self._reader, self._removed, self._clock = changes, reader, removed, clock
        self._wake, self._closing = threading.Event(), threading.Event()
        self._first: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=self._work, name="bin", daemon=True)

    def start(self, first: Callable[[], None] = lambda: None) -> None:
        """`first`: is done in the same thread, once, before anything is removed."""
        self._first = first
        self._thread.start()

    def close(self) -> None:
        self._closing.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(10)

    def wake(self) -> None:
        """There may be something to remove."""
        self._wake.set()

    def content(self, person: Person) -> GalleryBin:
        query = f"""select count(*), coalesce(sum(bytes), 0), coalesce(sum(deleted = 0), 0), coalesce(sum(deleted = 0 and {NEEDED}), 0)
          from shelf where user in (?, ?) and deleted is not null and deleted >= 0"""
        with self._reader.reading() as db:
            count, size, leaving, needed = db.execute(query, person.users).fetchone()
        return {"count": count, "bytes": size, "leaving": leaving, "needed": needed}

    def remove_due(self, rest: Callable[[float], object] = time.sleep) -> int:
        """Removes what is due and not needed, and boards whose time is over. Returns how many pictures. `rest`: waits for some seconds."""
        before, last, count = self._clock() - DAYS * 86_400, -1, 0
        self._remove_boards(before)
        while due := self._due(before, last):
            for picture in due:
                begin = time.monotonic()
                count += self._remove(picture)
                rest(max(time.monotonic() - begin, BEGUN) * (1 / SHARE - 1))
                if self._closing.is_set():
                    return count
            last = due[-1].number
        return count

    def _work(self) -> None:
        self._tried(self._first)
        while not self._closing.is_set():
            self._wake.clear()
            self._tried(lambda: self.remove_due(self._closing.wait))
            self._wake.wait(LOOK_EVERY)

    def _tried(self, work: Callable[[], object]) -> None:
        try:
            work()
        except (UserError, OSError) as error:  # it is tried again
            log.warning("The gallery could not be put in order now: %s", error)
        except Exception:
            log.exception("the gallery could not be put in order")

    def _due(self, before: float, last: int) -> list[Due]:
        query = f"""select number, id, shelf.user, path, bytes from shelf join picture using (number)
          where deleted is not null and deleted <= ? and number > ? order by number limit {AT_ONCE}"""
        with self._changes.book.file.reading() as db:
            return [Due(*row) for row in db.execute(query, (before, last))]

    def _remove(self, due: Due) -> bool:
        """The file goes before its row: a row without a file is removed the next time, a file without a row would be found again."""
        self._look_at(due)
        with self._changes.book.file.transaction() as db:
            query = f"update shelf set deleted = {LEAVING} where number = ? and deleted <= ? and not {NEEDED}"
            if not db.execute(query, (due.number, self._clock() - DAYS * 86_400)).rowcount:
                return False
        if not self._remove_file(due):
            return False
        with self._changes.book.file.transaction() as db:
            db.execute("delete from picture where number = ?", (due.number,))
        self._changes.book.shelf_changed()
        self._removed(due)
        return True

    def _remove_file(self, due: Due) -> bool:
        """A picture that lies elsewhere than in the outputs folder leaves the book alone."""
        path = self._changes.book.folder / due.path
        if not is_inside(due.path) or not _within(path, self._changes.book.folder):
            return True
        try:
            for each in (*beside(path), path):
                each.unlink(missing_ok=True)
        except OSError as error:
            log.warning("A picture in the bin cannot be removed now: %s", error)
            return False
        return True

    def _look_at(self, due: Due) -> None:
        """Which input pictures it would be, unless that is known, or nothing was made from any picture."""
        with self._changes.book.file.reading() as db:
            asked = "select exists (select 1 from lineage where picture <> ?) and not exists (select 1 from content where picture = ?)"
            if not db.execute(asked, (due.number, due.number)).fetchone()[0]:
                return
        found = contents(self._changes.book.folder / due.path) if is_inside(due.path) else frozenset[str]()
        with self._changes.book.file.transaction() as db:
            db.executemany("insert or ignore into content values (?, ?)", [(due.number, each) for each in found])

    def _remove_boards(self, before: float) -> None:
        gone = "select number from board where deleted is not null and deleted < ?"
        with self._changes.book.file.transaction() as db:
            db.execute(f"delete from on_board where board in ({gone})", (before,))
            db.execute(f"delete from board where number in ({gone})", (before,))


def contents(path: Path) -> frozenset[str]:
    """The ids that a picture has when it is put in: with its transparency, and on white. None for what is no picture."""
    try:
        data = path.read_bytes()
        return content_ids(normalise(data, None).image)
    except (OSError, UserError):
        return frozenset()


def is_needed(db: sqlite3.Connection, number: int) -> bool:
    """As far as it was looked at."""
    return bool(db.execute(f"select {NEEDED} from shelf where number = ?", (number,)).fetchone()[0])


def _within(path: Path, folder: Path) -> bool:
    """Whether the file itself lies below the folder, whatever links lead there."""
    return Path(os.path.realpath(path.parent)).is_relative_to(os.path.realpath(folder))
