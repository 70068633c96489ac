"""The file of the job book: one connection, one lock, every change one short transaction, every error a `BookError`.

The book is the file at its path. When the outputs folder is moved or removed, the connection would go on writing into a file that
nobody finds; so each change looks first whether the file is still in its place. If another book has come there it is opened, if the
folder is there without one a new one is begun, and if the folder is gone nothing is changed until it is back.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from pipelines.job_book.errors import BookError, told, trouble

PATIENCE = 5.0  # seconds that another program may hold the book
CACHE = 16_000_000  # bytes of the book that are kept in memory: an order may change 10,000 rows
PAUSE = 0.05  # seconds between two tries
Mark = tuple[int, int]  # device and number of a file


class BookFile:
    """Safe to use from any thread."""

    def __init__(self, path: Path, opened: Callable[[Path], sqlite3.Connection]) -> None:
        """`opened`: opens the book that is at the path, or makes one. Raises `BookError` when it cannot be opened."""
        self.path = path
        self._opened = opened
        self._lock = threading.Lock()
        with told():
            path.parent.mkdir(parents=True, exist_ok=True)
            self._open()

    def close(self) -> None:
        with self._lock, told():
            self.db.close()

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """All of the block is kept or nothing. Raises `BookError`; whatever is raised, the next transaction begins afresh."""
        with told():
            self._begin()
            try:
                yield self.db
                self.db.execute("commit")
            except BaseException:
                self._take_back()
                raise
            finally:
                self._lock.release()

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """For queries between which nothing changes. Raises `BookError`."""
        with self._lock, told():
            yield self.db

    def rows(self, query: str, values: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """Raises `BookError`. What SQLite cannot hold, such as half of a letter, is found nowhere."""
        with self.reading() as db:
            try:
                return db.execute(query, values).fetchall()
            except UnicodeEncodeError:
                return []

    def _open(self) -> None:
        self.db = self._opened(self.path)
        self.db.execute(f"pragma busy_timeout = {int(PAUSE * 1000)}")
        self.db.execute(f"pragma cache_size = -{CACHE // 1000}")
        self._mark, self._home = _mark(self.path), _mark(self.path.parent)

    def _begin(self) -> None:
        """Holds the lock with a transaction begun. While another program holds the book, others may read between the tries."""
        end = time.monotonic() + PATIENCE
        while not self._tried(time.monotonic() >= end):
            time.sleep(PAUSE)

    def _tried(self, last: bool) -> bool:
        self._lock.acquire()
        try:
            self._stay_in_place()
            self.db.execute("begin immediate")
        except BaseException as error:
            self._lock.release()
            if last or not isinstance(error, sqlite3.Error) or trouble(error) != "locked":
                raise
            return False
        return True

    def _stay_in_place(self) -> None:
        here = _mark(self.path)
        if here == self._mark and here is not None:
            return
        home = _mark(self.path.parent)
        if here is None and (home is None or self._home is None or home[0] != self._home[0]):  # an empty mount point is another device
            raise BookError("moved")
        before = self.db
        self._open()
        before.close()

    def _take_back(self) -> None:
        """A full disk may have ended the transaction already; a connection in which one cannot be taken back is left."""
        with suppress(sqlite3.Error):
            if self.db.in_transaction:
                self.db.execute("rollback")
        if self.db.in_transaction:
            self._mark = None  # opened anew before the next change


def _mark(path: Path) -> Mark | None:
    """None where there is nothing."""
    try:
        found = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    return found.st_dev, found.st_ino


def connect(path: Path) -> sqlite3.Connection:
    """A connection to a file that is there. Text that is no UTF-8 is read with stand-ins for its letters: a damaged row is a row."""
    address = f"{path.absolute().as_uri()}?mode=rw"
    db = sqlite3.connect(address, uri=True, timeout=PATIENCE, check_same_thread=False, isolation_level=None)
    db.row_factory = sqlite3.Row
    db.text_factory = _text
    return db


def begins_well(path: Path) -> bool:
    """Whether the file's head is that of an SQLite database (https://www.sqlite.org/fileformat.html, 1.3)."""
    with path.open("rb") as file:
        return file.read(16) == b"SQLite format 3\0"


def write_ahead(db: sqlite3.Connection) -> None:
    """Readers and the writer do not wait for each other, and a kill at any moment leaves a sound book."""
    db.execute("pragma journal_mode = wal")
    db.execute("pragma synchronous = normal")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
