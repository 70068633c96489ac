"""The order of the queue: whose job is drawn next, and at which place each one stands.

People who wait sit in a ring. Whoever comes takes the seat at its end; whose turn it is draws one job and goes to the end as well. So
everybody who waits has one job drawn before anybody has a second one, and nobody who comes later gets before somebody's next job,
under however many names. Seats and turns are counted; no clock decides.

The owner of the studio is never behind a guest who came later: before a guest's job that is younger, the owner's is drawn.

A job whose checkpoint is at hand may be drawn before its turn, as swapping takes time. Its person's turn is used up all the same when
it comes, and a job whose turn was three jobs ago is drawn now, so nobody waits more than three jobs longer for it.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

PASSES = 3  # jobs that may be drawn before a job when its turn has come, because their checkpoint is at hand

# `turn` is null until a job's turn has come: jobs that wait for it, and jobs that were drawn before it.
TO_COME = """select number, id, user, state, owner, turn, coalesce(place, 0) as place from job left join seat using (user)
  where turn is null order by number"""
# The plus keeps SQLite from going through the turns of all jobs that have ended.
CALLED = "select number, id, user, state, owner, turn from job where state = 'waiting' and +turn is not null order by +turn"
CHECKPOINT = "select case when json_valid(request) then json_extract(request, '$.checkpoint') end from job where number = ?"
LAST_PLACE = "(select coalesce(max(place), 0) + 1 from seat)"


@dataclass
class Seat:
    """One person in the ring, and the jobs whose turn is to come."""

    place: int
    jobs: deque[sqlite3.Row] = field(default_factory=deque[sqlite3.Row])

    @property
    def order(self) -> tuple[int, int]:
        return self.place, self.jobs[0]["number"]


def take_seat(db: sqlite3.Connection, user: str) -> None:
    """Before a job is added: who has none to come sits down at the end of the ring."""
    if db.execute("select 1 from job where user = ? and turn is null limit 1", (user,)).fetchone() is None:
        _to_the_end(db, user)


def next_turn(db: sqlite3.Connection) -> int:
    """The order goes on by one: the job whose turn it is, drawn already or not, gets the next number, which is returned."""
    turn = db.execute("select coalesce(max(turn), 0) + 1 from job").fetchone()[0]
    first = next(fair_order(db.execute(TO_COME).fetchall()), None)
    if first:
        db.execute("update job set turn = ? where number = ?", (turn, first["number"]))
        _to_the_end(db, first["user"])
    return turn


def everybody_gone(db: sqlite3.Connection) -> None:
    """Nobody waits: the ring is empty."""
    db.execute("update job set turn = 0 where turn is null")
    db.execute("delete from seat")


def line(db: sqlite3.Connection) -> list[sqlite3.Row]:
    """The waiting jobs in the order in which they are drawn when nothing is at hand and nobody submits more."""
    to_come = fair_order(db.execute(TO_COME).fetchall())
    return [*db.execute(CALLED).fetchall(), *(row for row in to_come if row["state"] == "waiting")]


def next_number(db: sqlite3.Connection, turn: int, at_hand: Collection[str]) -> int | None:
    """The number of the job that is drawn at this turn, None when none waits."""
    waiting = line(db)
    if not waiting:
        return None
    overdue = waiting[0]["turn"] is not None and waiting[0]["turn"] <= turn - PASSES
    for row in _may_be_first(waiting) if at_hand and not overdue else ():
        if db.execute(CHECKPOINT, (row["number"],)).fetchone()[0] in at_hand:
            return row["number"]
    return waiting[0]["number"]


def fair_order(to_come: list[sqlite3.Row]) -> Iterator[sqlite3.Row]:
    """Jobs in the order of their turns. `to_come`: by number."""
    seats: dict[str, Seat] = {}
    for row in to_come:
        seats.setdefault(row["user"], Seat(row["place"])).jobs.append(row)
    ring = deque(sorted(seats.values(), key=lambda seat: seat.order))
    owners = [seat for seat in ring if any(row["owner"] for row in seat.jobs)]
    while ring:
        seat = _before(ring[0], owners) or ring[0]
        yield seat.jobs.popleft()
        ring.remove(seat)
        if seat.jobs:
            ring.append(seat)


def _before(head: Seat, owners: list[Seat]) -> Seat | None:
    """An owner whose next job is older than that of a guest whose turn it would be."""
    if head.jobs[0]["owner"]:
        return None
    older = [seat for seat in owners if seat.jobs and seat.jobs[0]["owner"] and seat.jobs[0]["number"] < head.jobs[0]["number"]]
    return min(older, key=lambda seat: seat.jobs[0]["number"], default=None)


def _may_be_first(waiting: list[sqlite3.Row]) -> Iterator[sqlite3.Row]:
    """Everybody's first job, as one's own jobs are never reordered; of guests only what is older than the owner's jobs before it."""
    seen: set[str] = set()
    oldest = float("inf")
    for row in waiting:
        if row["user"] not in seen and (row["owner"] or row["number"] < oldest):
            yield row
        seen.add(row["user"])
        if row["owner"]:
            oldest = min(oldest, row["number"])


def _to_the_end(db: sqlite3.Connection, user: str) -> None:
    query = f"insert into seat values (?, {LAST_PLACE}) on conflict (user) do update set place = excluded.place"
    db.execute(query, (user,))
