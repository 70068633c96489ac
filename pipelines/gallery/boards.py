"""Boards: pictures put together under a name, each board one person's. A picture may be on several.

A private board is seen by its maker alone, a shared one by everybody whom a link lets in: into the studio, or to that board. People put
their own pictures on it, and may draw onto it: then what they draw goes there by itself.
"""

from __future__ import annotations

import secrets
import sqlite3
import time
import unicodedata
from collections.abc import Sequence

from models.errors import UserError
from pipelines.gallery.answers import GalleryBoard, GalleryChanged, GalleryDesk
from pipelines.gallery.marks import Changes
from pipelines.gallery.person import OWN, Person, own, visible
from pipelines.job_book.desks import SIT, desk_of
from pipelines.job_book.journal import index, lines_about

LONGEST = 100  # letters of a name
MOST = 500  # boards a person
GONE = "This board is not there any more. Reload the page."


class Boards:
    """Safe to use from any thread. All raise `UserError` for a board that is not this person's, and `BookError`."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes

    def all(self, person: Person) -> list[GalleryBoard]:
        """Those that this person sees, by name."""
        query = f"""select board.id, board.name, count(shelf.number), board.user = ?, board.shared, coalesce(person.name, '')
          from board left join on_board on board = board.number left join shelf on shelf.number = picture and shelf.deleted is null
            and (board.shared or {OWN})
          left join person on person.user = board.user
          where {person.sees_board} and board.deleted is null group by board.number order by lower(board.name), board.number"""
        with self._changes.book.file.reading() as db:
            rows, desk = db.execute(query, (person.user, *person.users, *person.seen_boards)).fetchall(), desk_of(db, person.user)
        return [_told(row, person, desk) for row in rows]

    def desk(self, person: Person) -> GalleryDesk | None:
        """The board that this person draws onto."""
        query = f"select board.id as id, name, shared from board join desk on board = id where desk.user = ? and {person.sees_board}"
        rows = self._changes.book.file.rows(f"{query} and deleted is null", (person.user, *person.seen_boards))
        return {"id": rows[0]["id"], "name": rows[0]["name"], "shared": bool(rows[0]["shared"])} if rows else None

    def seen(self, board_id: str, person: Person) -> str | None:
        """The name of a shared board that this person sees; None for another one."""
        query = f"select name from board where board.id = ? and board.shared and {person.sees_board} and deleted is null"
        rows = self._changes.book.file.rows(query, (board_id, *person.seen_boards)) if board_id.isascii() else []
        return str(rows[0]["name"]) if rows else None

    def content(self, board_id: str) -> tuple[str, tuple[object, ...]]:
        """The name of a board, and values that are others once something has come onto it or left it, or whoever sees it has changed."""
        query = """select count(*), max(picture), total(picture), board.name as name, max(board.shared) from board
          left join on_board on on_board.board = board.number and picture in (select number from shelf where deleted is null)
          where board.id = ? and board.deleted is null"""
        row = self._changes.book.file.rows(query, (board_id,))[0]
        return str(row["name"] or ""), tuple(row)

    def holds(self, board_id: str, picture_id: str) -> bool:
        """Whether a picture is on a board, and not in the bin."""
        query = """select 1 from board join on_board on board = board.number join shelf on shelf.number = on_board.picture
          join picture on picture.number = shelf.number where board.id = ? and picture.id = ? and shelf.deleted is null"""
        known = bool(picture_id) and board_id.isascii() and picture_id.isascii()
        return known and bool(self._changes.book.file.rows(query, (board_id, picture_id)))

    def share(self, board_id: str, person: Person, shared: bool) -> None:
        """Shares a board, or makes it private again, which its maker may, and the owner of the studio for all."""

        def change(db: sqlite3.Connection) -> int:
            number = _shareable(db, board_id, person)
            db.execute("update board set shared = ? where number = ?", (int(shared), number))
            return number

        self._changes.boards(change)

    def linked(self, board_id: str) -> None:
        """A link to it was made, so it is shared."""

        def change(db: sqlite3.Connection) -> int:
            db.execute("update board set shared = 1 where id = ?", (board_id,))
            return int(db.execute("select number from board where id = ?", (board_id,)).fetchone()[0])

        self._changes.boards(change)

    def draw_onto(self, board_id: str, person: Person, draws: bool) -> None:
        """From now on what this person asks for goes onto this board, or onto none."""
        with self._changes.book.file.transaction() as db:
            _own(db, board_id, person, shown=True)
            if draws or desk_of(db, person.user) == board_id:
                db.execute(SIT, (person.user, board_id if draws else ""))

    def arrived(self, picture_id: str) -> None:
        """The journal is told what the book knows of a picture by its job: the board that it is on, and whose settings it has."""
        with self._changes.book.file.reading() as db:
            numbers = [row[0] for row in db.execute("select number from picture where id = ?", (picture_id,))]
            lines = lines_about(db, numbers)
        self._changes.written(lines)

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
        """Takes pictures off a board; they stay where they are besides. Off one's own board also those of others."""
        return self._put(board_id, ids, person, "delete from on_board where board = ? and picture = ?", others=True)

    def _put(self, board_id: str, ids: Sequence[str], person: Person, query: str, others: bool = False) -> GalleryChanged:
        def change(db: sqlite3.Connection, numbers: list[int]) -> None:
            board = _own(db, board_id, person, shown=True)
            db.executemany(query, [(board, number) for number in numbers])
            index(db, numbers)

        def whose(db: sqlite3.Connection, wanted: Sequence[str], who: Person) -> list[int]:
            mine = others and db.execute("select 1 from board where id = ? and user = ?", (board_id, who.user)).fetchone()
            return visible(db, wanted, who) if mine else own(db, wanted, who)

        return self._changes.pictures(ids, person, change, whose)


def _own(db: sqlite3.Connection, board_id: str, person: Person, deleted: bool = False, shown: bool = False) -> int:
    """`shown`: one that is shared with this person does as well, as when pictures of their own are put on it."""
    holds, values = (person.sees_board, person.seen_boards) if shown else ("user = ?", (person.user,))
    return _number(db, f"{holds} and deleted is {'not' if deleted else ''} null", board_id, *values)


def _shareable(db: sqlite3.Connection, board_id: str, person: Person) -> int:
    return _number(db, "(user = ? or ?) and deleted is null", board_id, person.user, person.owner)


def _number(db: sqlite3.Connection, holds: str, board_id: str, *values: object) -> int:
    row = (
        db.execute(f"select number from board where board.id = ? and {holds}", (board_id, *values)).fetchone()
        if board_id.isascii()
        else None
    )
    if row is None:
        raise UserError(GONE)
    return int(row[0])


def _told(row: Sequence[object], person: Person, desk: str) -> GalleryBoard:
    board, name, count, own_one, shared, maker = row
    return {
        "id": str(board),
        "name": str(name),
        "count": int(str(count)),
        "own": bool(own_one),
        "shared": bool(shared),
        "shares": bool(own_one) or person.owner,
        "maker": str(maker),
        "desk": board == desk,
    }


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
