"""A connection of its own for long questions about the job book: nobody who books a picture or takes a job waits for a search.

The book's journal lets one read beside the one that writes, and each question sees the book as it was at one moment.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from models.errors import UserError
from pipelines.job_book.errors import told
from pipelines.job_book.file import connect

LONGEST = 10.0  # seconds that one question may take: a machine that draws may be five times slower than an idle one
LOOK_EVERY = 20_000  # steps of SQLite's machine between looks at the clock: some milliseconds
CACHE = 64_000_000  # bytes of the book that are kept in memory
TOO_LONG = "This search takes too long. Say more of what you look for: a whole word, a date, a size."
OUT_OF_ALPHABET = "This search holds half of a letter. Type it anew."


class Reader:
    """Safe to use from any thread; one question at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._mark: tuple[int, int] | None = None

    def close(self) -> None:
        with self._lock:
            self._let_go()

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """Rows are plain tuples. Raises `BookError`, and `UserError` for what takes too long."""
        with self._lock, told(), _worded():
            db = self._current()
            end = time.monotonic() + LONGEST
            db.set_progress_handler(lambda: time.monotonic() > end, LOOK_EVERY)
            db.execute("begin")
            try:
                yield db
            finally:
                with suppress(sqlite3.Error):
                    db.execute("rollback")

    def _current(self) -> sqlite3.Connection:
        """Opened anew when another book has come into the place of this one."""
        found = os.stat(self._path)
        mark = found.st_dev, found.st_ino
        if self._db is None or mark != self._mark:
            self._let_go()
            self._db, self._mark = _opened(self._path), mark
        return self._db

    def _let_go(self) -> None:
        if self._db is not None:
            self._db.close()
        self._db = None


def _opened(path: Path) -> sqlite3.Connection:
    db = connect(path)
    db.row_factory = None
    db.execute(f"pragma cache_size = -{CACHE // 1000}")
    db.execute("pragma query_only = on")
    return db


@contextmanager
def _worded() -> Generator[None]:
    try:
        yield
    except UnicodeEncodeError as error:
        raise UserError(OUT_OF_ALPHABET) from error
    except sqlite3.OperationalError as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_INTERRUPT:
            raise UserError(TOO_LONG) from error
        raise
