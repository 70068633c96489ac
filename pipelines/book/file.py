"""The file of the job book: one connection, one lock, every change one short transaction, every error a `BookError`."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from pipelines.book.errors import told

PATIENCE = 5.0  # seconds that another program may hold the book


class BookFile:
    """Safe to use from any thread."""

    def __init__(self, path: Path) -> None:
        """Raises `BookError` when it cannot be opened."""
        self.path = path
        self._lock = threading.Lock()
        with told():
            path.parent.mkdir(parents=True, exist_ok=True)
            self.db = connect(path)

    def close(self) -> None:
        with self._lock, told():
            self.db.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All of the block is kept or nothing. Raises `BookError`; whatever is raised, the next transaction begins afresh."""
        with self._lock, told():
            self.db.execute("begin immediate")
            try:
                yield self.db
                self.db.execute("commit")
            except BaseException:
                self._take_back()
                raise

    def rows(self, query: str, values: tuple[Any, ...] = ()) -> list[sqlite3.Row]:
        """Raises `BookError`. What SQLite cannot hold, such as half of a letter, is found nowhere."""
        with self._lock, told():
            try:
                return self.db.execute(query, values).fetchall()
            except UnicodeEncodeError:
                return []

    def _take_back(self) -> None:
        """A full disk may have ended the transaction already; one that cannot even be taken back ends with its connection."""
        with suppress(sqlite3.Error):
            if self.db.in_transaction:
                self.db.execute("rollback")
        if self.db.in_transaction:
            self.db.close()
            self.db = connect(self.path)


def connect(path: Path) -> sqlite3.Connection:
    """A connection as the book needs it. Text that is no UTF-8 is read with stand-ins for its letters: a damaged row is a row."""
    db = sqlite3.connect(path, timeout=PATIENCE, check_same_thread=False, isolation_level=None)
    try:
        db.row_factory = sqlite3.Row
        db.text_factory = _text
        db.execute("pragma journal_mode = wal")
        db.execute("pragma synchronous = normal")
    except BaseException:
        db.close()
        raise
    return db


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")
