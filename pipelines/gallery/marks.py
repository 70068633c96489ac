"""Marks that people give to pictures: rating, favourite, note, the way into the bin and back. Each order is one transaction."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from models.errors import UserError
from pipelines.gallery.answers import GalleryChanged
from pipelines.gallery.person import Person, own
from pipelines.job_book.book import JobBook
from pipelines.job_book.journal import Journal, bytes_of, index, lines_about
from pipelines.job_book.reader import Reader
from pipelines.job_book.rows import place_of
from pipelines.job_book.shelf import EMPTIED, LEAVING

STARS = range(6)
LONGEST_NOTE = 10_000  # letters
Change = Callable[[sqlite3.Connection, list[int]], None]
Whose = Callable[[sqlite3.Connection, Sequence[str], Person], list[int]]  # the numbers of pictures by their ids


class Changes:
    """Changes of the shelf, one at a time, each in the book and then in the journal. Safe to use from any thread."""

    def __init__(self, book: JobBook) -> None:
        self.book = book
        self._journal = Journal(book.folder)
        self._one_at_a_time = threading.Lock()

    def tidy(self, reader: Reader) -> None:
        """Makes the journal short again, where that is worth it."""
        with self._one_at_a_time, reader.reading() as db:
            self._journal.tidy(db)

    def pictures(self, ids: Sequence[str], person: Person, change: Change, whose: Whose = own) -> GalleryChanged:
        """Changes those pictures that are this person's, or that `whose` finds. Raises `UserError` when there is none, and then nothing has
        changed.
        """
        with self._one_at_a_time:
            with self.book.file.transaction() as db:
                numbers = whose(db, ids, person)
                change(db, numbers)
                lines = lines_about(db, numbers)
            self.written(lines)
        return {"changed": len(numbers), "missing": len(set(ids)) - len(numbers), "version": self.book.shelf_version}

    def boards(self, change: Callable[[sqlite3.Connection], int]) -> None:
        """`change` returns the number of the board that it has changed."""
        with self._one_at_a_time:
            with self.book.file.transaction() as db:
                lines = lines_about(db, (), [change(db)])
            self.written(lines)

    def written(self, lines: Sequence[str]) -> None:
        """After a transaction: everybody may know."""
        self.book.shelf_changed()
        with self.book.file.reading() as db:
            self._journal.add(db, lines)


class Marks:
    """Safe to use from any thread. All raise `UserError` when none of the pictures is this person's, and `BookError`."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    def rate(self, ids: Sequence[str], person: Person, rating: int) -> GalleryChanged:
        if rating not in STARS:
            raise UserError("A rating is a whole number from 0 to 5.")
        return self._set(ids, person, "rating = ?", rating)

    def favourite(self, ids: Sequence[str], person: Person, favourite: bool) -> GalleryChanged:
        return self._set(ids, person, "favourite = ?", int(favourite))

    def note(self, ids: Sequence[str], person: Person, note: str) -> GalleryChanged:
        """`note`: "" takes the note away."""
        clean = note.replace("\0", "").encode("utf-8", "ignore").decode().strip()
        if len(clean) > LONGEST_NOTE:
            raise UserError(f"A note has at most {LONGEST_NOTE:,} letters, and this one has {len(clean):,}. Shorten it.")

        def change(db: sqlite3.Connection, numbers: list[int]) -> None:
            db.executemany("update shelf set note = ? where number = ?", [(clean, number) for number in numbers])
            index(db, numbers)

        return self._changes.pictures(ids, person, change)

    def hide(self, ids: Sequence[str], person: Person, hidden: bool) -> GalleryChanged:
        """How these pictures were made is kept from others, or told again."""
        return self._set(ids, person, "hidden = ?", int(hidden))

    def throw(self, ids: Sequence[str], person: Person) -> GalleryChanged:
        """Into the bin. What is there already stays as it is."""
        now, folder = time.time(), self._changes.book.folder

        def change(db: sqlite3.Connection, numbers: list[int]) -> None:
            query = "update shelf set deleted = ?, bytes = ? where number = ? and deleted is null"
            db.executemany(query, [(now, bytes_of(folder / _place(db, number)), number) for number in numbers])

        return self._changes.pictures(ids, person, change)

    def restore(self, ids: Sequence[str], person: Person) -> GalleryChanged:
        """Out of the bin again."""
        query = f"update shelf set deleted = null where number = ? and deleted <> {LEAVING}"
        return self._changes.pictures(ids, person, lambda db, numbers: _many(db, query, numbers))

    def empty(self, person: Person) -> int:
        """All that is in the bin leaves it as soon as nothing needs it. Returns how many pictures that are."""
        query = f"update shelf set deleted = {EMPTIED} where user in (?, ?) and deleted > 0"
        with self._changes.book.file.transaction() as db:
            count = db.execute(query, person.users).rowcount
        self._changes.book.shelf_changed()
        return count

    def _set(self, ids: Sequence[str], person: Person, what: str, value: int) -> GalleryChanged:
        def change(db: sqlite3.Connection, numbers: list[int]) -> None:
            db.executemany(f"update shelf set {what} where number = ?", [(value, number) for number in numbers])

        return self._changes.pictures(ids, person, change)


def _many(db: sqlite3.Connection, query: str, numbers: list[int]) -> None:
    db.executemany(query, [(number,) for number in numbers])


def _place(db: sqlite3.Connection, number: int) -> Path:
    return place_of(db.execute("select path from picture where number = ?", (number,)).fetchone()[0])
