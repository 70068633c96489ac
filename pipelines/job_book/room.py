"""Room in the queue: how many jobs may wait."""

from __future__ import annotations

import sqlite3

from models.errors import UserError

JOBS_A_USER = 200  # jobs one person may have waiting; beyond it a submit is refused
GUEST_JOBS = 400  # jobs that all guests together may have waiting; the owner's are not counted


def check_room(db: sqlite3.Connection, user: str, owner: bool) -> None:
    """Raises `UserError` when this person, or all guests, have too many waiting."""
    own = db.execute("select count(*) from job where user = ? and state = 'waiting'", (user,)).fetchone()[0]
    if own >= JOBS_A_USER:
        raise UserError(f"You have {own} jobs waiting, which is the most. Stop some, or wait until they are drawn.")
    guests = 0 if owner else db.execute("select count(*) from job where state = 'waiting' and not owner").fetchone()[0]
    if guests >= GUEST_JOBS:
        raise UserError(f"{guests} jobs of guests are waiting, which is the most this studio takes. Try again when some are drawn.")
