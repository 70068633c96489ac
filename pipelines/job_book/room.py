"""Room in the queue: how many jobs may wait."""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from models.errors import UserError

JOBS_A_USER = 200  # jobs one person may have waiting; beyond it a submit is refused
GUEST_JOBS = 400  # jobs that all guests together may have waiting; the owner's are not counted


HOUR = 3_600.0  # seconds
# What was stopped counts by what of it was drawn.
ASKED = """select coalesce(sum(megapixels * case when state in ('waiting', 'running') then 1.0
    else min(1.0, cast(pictures as real) / max(1, batches * each)) end), 0)
  from job where user = ? and created > ? and id <> ?"""
# Cells of guests' grids that have no job yet.
CELLS = "select coalesce(sum(left), 0), coalesce(sum(left * megapixels), 0) from grid where not owner and state = 'drawing'"


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a person may ask for, and what a job asks for of it. `hourly`: megapixels within an hour; None for no bound."""

    jobs: int = JOBS_A_USER
    hourly: float | None = None
    megapixels: float = 0.0  # of the job


EVERY = Allowance()  # what every guest may


def check_hour(db: sqlite3.Connection, user: str, allowance: Allowance, instead: str = "") -> None:
    """Raises `UserError` when the job asks for more than is left of this hour. `instead`: the id of the job that it replaces."""
    if allowance.hourly is None:
        return
    used = float(db.execute(ASKED, (user, time.time() - HOUR, instead)).fetchone()[0])
    used += db.execute(f"{CELLS} and user = ?", (user,)).fetchone()[1]
    if used + allowance.megapixels > allowance.hourly * (1 + 1e-9):
        raise UserError(
            f"Your link is for {allowance.hourly:g} megapixels an hour. You have asked for {used:.1f} within the last one, and this is "
            f"{allowance.megapixels:.1f}. Ask for fewer or smaller pictures, or wait a while."
        )


def check_room(db: sqlite3.Connection, user: str, owner: bool, most: int = JOBS_A_USER, more: int = 1) -> None:
    """Raises `UserError` when this person, or all guests, would have too many waiting with so many more. `most`: of this person's."""
    own = db.execute("select count(*) from job where user = ? and state = 'waiting'", (user,)).fetchone()[0]
    own += 0 if owner else db.execute(f"{CELLS} and user = ?", (user,)).fetchone()[0]
    most = min(most, JOBS_A_USER)
    if more > 1 and own + more > most:
        raise UserError(f"{more:,} jobs are too many at once: {most} may wait, and there is room for {max(0, most - own)}. Choose fewer.")
    if own >= most:
        raise UserError(f"You have {own} jobs waiting, which is the most. Stop some, or wait until they are drawn.")
    guests = 0 if owner else db.execute("select count(*) from job where state = 'waiting' and not owner").fetchone()[0]
    guests += 0 if owner else db.execute(CELLS).fetchone()[0]
    if guests + more > GUEST_JOBS:
        raise UserError(f"{guests} jobs of guests are waiting, which is the most this studio takes. Try again when some are drawn.")
