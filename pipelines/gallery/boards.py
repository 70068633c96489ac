"""Boards: pictures put together under a name, each board one person's. A picture may be on several."""

from __future__ import annotations

import secrets
import sqlite3
import time
import unicodedata
from collections.abc import Sequence

from models.errors import UserError
from pipelines.gallery.answers import GalleryBoard, GalleryChanged
from pipelines.gallery.marks import Changes
from pipelines.gallery.person import Person
from pipelines.job_book.journal import index

LONGEST = 100  # letters of a name
MOST = 500  # boards a person
GONE = "This board is not there any more. Reload the page."


class Boards:
    """Safe to use from any thread. All raise `UserError` for a board that is not this person's, and `BookError`."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    def all(self, person: Person) -> list[GalleryBoard]:
        """By name."""
        query = """select id, name, count(shelf.number), board.user = ? from board left join on_board on board = board.number
          left join shelf on shelf.number = picture and shelf.deleted is null
          where (board.user = ? or id = ?) and board.deleted is null group by board.number order by lower(name), board.number"""
        with self._changes.book.file.reading() as db:
            rows = db.execute(query, (person.user, person.user, person.board)).fetchall()
        return [{"id": row[0], "name": row[1], "count": row[2], "own": bool(row[3])} for row in rows]

    def create(self, person: Person, name: str) -> str:
        """Returns the id. Raises `UserError` for a name that cannot be one, or that a board has."""
        board_id = secrets.token_urlsafe(16)

        def change(db: sqlite3.Connection) -> int:
            row = (board_id, person.user, _free(db, person, name), time.time())
            return int(db.execute("insert into board (id, user, name, created) values (?, ?, ?, ?)", row).lastrowid or 0)

        self._changes.boards(change)
        return board_id

    def rename(self, board_id: str, person: Person, name: str) -> None:
        def change(db: sqlite3.Connection) -> int:
            number = _own(db, board_id, person)
            db.execute("update board set name = ? where number = ?", (_free(db, person, name, number), number))
            return number

        self._changes.boards(change)

    def delete(self, board_id: str, person: Person) -> None:
        """The pictures stay. For 30 days `restore` brings it back, with what is on it."""

        def change(db: sqlite3.Connection) -> int:
            number = _own(db, board_id, person)
            db.execute("update board set deleted = ? where number = ?", (time.time(), number))
            return number

        self._changes.boards(change)

    def restore(self, board_id: str, person: Person) -> None:
        """If another board has its name by now, it gets a number behind it."""

        def change(db: sqlite3.Connection) -> int:
            number = _own(db, board_id, person, deleted=True)
            name = db.execute("select name from board where number = ?", (number,)).fetchone()[0]
            db.execute("update board set deleted = null, name = ? where number = ?", (_another(db, person, name), number))
            return number

        self._changes.boards(change)

    def add(self, board_id: str, ids: Sequence[str], person: Person) -> GalleryChanged:
        """Puts pictures on a board."""
        return self._put(board_id, ids, person, "insert or ignore into on_board values (?, ?)")

    def remove(self, board_id: str, ids: Sequence[str], person: Person) -> GalleryChanged:
        """Takes pictures off a board; they stay where they are besides."""
        return self._put(board_id, ids, person, "delete from on_board where board = ? and picture = ?")

    def _put(self, board_id: str, ids: Sequence[str], person: Person, query: str) -> GalleryChanged:
        def change(db: sqlite3.Connection, numbers: list[int]) -> None:
            board = _own(db, board_id, person, shown=True)
            db.executemany(query, [(board, number) for number in numbers])
            index(db, numbers)

        return self._changes.pictures(ids, person, change)


def _own(db: sqlite3.Connection, board_id: str, person: Person, deleted: bool = False, shown: bool = False) -> int:
    """`shown`: the one that is shown to this person does as well, as when pictures of their own are put on it."""
    query = f"select number from board where id = ? and (user = ? or id = ?) and deleted is {'not' if deleted else ''} null"
    row = db.execute(query, (board_id, person.user, person.board if shown else "")).fetchone() if board_id.isascii() else None
    if row is None:
        raise UserError(GONE)
    return int(row[0])


def _free(db: sqlite3.Connection, person: Person, name: str, besides: int = -1) -> str:
    """The name as it is kept. Raises `UserError` when it is none, is another board's, or there are too many boards."""
    composed = unicodedata.normalize("NFC", name.encode("utf-8", "ignore").decode())
    clean = "".join(letter for letter in composed if letter.isprintable()).strip()
    if not clean or len(clean) > LONGEST:
        raise UserError(f"A board needs a name of 1 to {LONGEST} letters.")
    taken = _names(db, person, besides)
    if clean.casefold() in taken:
        raise UserError(f"You have a board “{clean}” already. Choose another name.")
    if len(taken) >= MOST:
        raise UserError(f"You have {len(taken)} boards, which is the most. Delete one first.")
    return clean


def _another(db: sqlite3.Connection, person: Person, name: str) -> str:
    taken = _names(db, person, -1)
    names = (name, *(f"{name[: LONGEST - 6]} {number}" for number in range(2, 10**6)))
    return next(each for each in names if each.casefold() not in taken)


def _names(db: sqlite3.Connection, person: Person, besides: int) -> set[str]:
    query = "select name from board where user = ? and deleted is null and number <> ?"
    return {str(row[0]).casefold() for row in db.execute(query, (person.user, besides))}
