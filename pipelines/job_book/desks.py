"""Shared boards in the book: which boards are shared, and which board a job's pictures go onto. Who may is said in `pipelines.gallery`.

board.shared     1: everybody whom a link lets into the studio sees it, or to this board; 0: its maker alone
job.board        the id of the board that its pictures go onto, or ""
desk             the board that a person draws onto, by its id; who comes by a link to a board draws onto that one
"""

from __future__ import annotations

import sqlite3

from pipelines.job_book.journal import index

TABLES = (
    "alter table board add column shared integer not null default 0",
    "update board set shared = 1 where id in (select board from link where board <> '')",
    "alter table job add column board text not null default ''",
    "create table desk (user text primary key, board text not null) without rowid",
)
# Whether a picture of a person's goes onto a board: their own, or one that is shared.
OPEN = "select number from board where id = ? and deleted is null and (shared or user = ?)"
SIT = "insert or replace into desk values (?, ?)"


def create(db: sqlite3.Connection) -> None:
    for statement in TABLES:
        db.execute(statement)


def desk_of(db: sqlite3.Connection, user: str) -> str:
    """The board that this person draws onto, as far as it is open to them; "" for none."""
    row = db.execute("select board from desk where user = ?", (user,)).fetchone()
    return str(row[0]) if row and db.execute(OPEN, (row[0], user)).fetchone() else ""


def arrive(db: sqlite3.Connection, board_id: str, user: str, picture: int) -> bool:
    """Puts a picture onto the board that its job was for, in the transaction that enters the picture. False where that is not open to
    its person any more.
    """
    board = db.execute(OPEN, (board_id, user)).fetchone() if board_id else None
    if board is None:
        return False
    db.execute("insert or ignore into on_board values (?, ?)", (board["number"], picture))
    index(db, [picture])
    return True
