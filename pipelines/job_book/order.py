"""The order of the queue, as it stands in the book: who waits with what, in which lane, and what the ring knows of each.

One's own jobs are drawn by lane, and within it by place: *now* before *next*. What stands in *when idle* is drawn when nobody waits with
anything else, and gives way to it between two batches. A lane lets nobody pass anybody else. A job that is being edited, and those of who
pauses, are passed over. Between persons the ring decides: `pipelines.job_book.ring`.
"""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Iterator, Sequence

from pipelines.job_book.pace import Paces, read_paces
from pipelines.job_book.placing import Place, Placing
from pipelines.job_book.ring import PASSES, Entry, Ring, Seat

NOW, NEXT, IDLE = 0, 1, 2
LANES = {"now": NOW, "next": NEXT, "idle": IDLE}
EVERYBODY = ""  # in place of a person: the whole studio pauses
ALL = 10**9
HELD = 1800.0  # seconds that a job may be edited; then it waits again as it was

ACTIVE = "state in ('waiting', 'running')"  # as the partial index of active jobs says it
OWN_ORDER = "lane, coalesce(place, number), number"
JOBS = f"""select *, row_number() over (partition by user, lane = 2 order by {OWN_ORDER}) as own from (
    select number, user, owner, lane, place, batches - batch as left, work, sort, state from job
    where {ACTIVE} and (held is null or held > ?1 or held <= ?1 - ?2) and user not in (select user from pause)
    and not exists (select 1 from pause where user = '')
    and user not in (select user from held) and (owner or not exists (select 1 from held where user = ''))
  ) order by user, {OWN_ORDER}"""
IN_WORK = f"select number, user, owner, batches - batch as left, work, sort, state from job where {ACTIVE} and state = 'running'"
FIRST = f"select * from ({JOBS}) where own <= ?3"  # of each person
ENOUGH = PASSES + 2  # of a person's jobs, to say whose turn it is: no more turns than that come before their batches are drawn
RUNNING = f"select count(*) from job where {ACTIVE} and state = 'running'"
KEEP = """insert into seat (user, place, turn, balance, slack, ahead, called) values (?, ?, ?, ?, ?, ?, ?) on conflict (user) do update
  set place = excluded.place, turn = excluded.turn, balance = excluded.balance, slack = excluded.slack, ahead = excluded.ahead,
  called = excluded.called"""
LEAVE = f"delete from seat where user = ?1 and not exists (select 1 from job where user = ?1 and {ACTIVE})"
Written = tuple[str, int, int, float, float, int, str]


def is_held(held: float | None, now: float) -> bool:
    """Whether a job is being edited. A clock that was put back keeps none for ever."""
    return held is not None and 0 <= now - held < HELD


def pausing(db: sqlite3.Connection) -> set[str]:
    """Who pauses the own jobs; `EVERYBODY`: the studio pauses."""
    return {row["user"] for row in db.execute("select user from pause")}


def holding(db: sqlite3.Connection) -> set[str]:
    """Whose jobs the owner of the studio holds; `EVERYBODY`: those of all guests."""
    return {row["user"] for row in db.execute("select user from held")}


def read_ring(db: sqlite3.Connection, running: int, most: int = ENOUGH, own: int | None = None) -> Ring:
    """All who wait or draw, with what can be drawn. `running`: batches to leave out of a job that runs: 1 while it draws one that has had
    its turn, 0 between two, `ALL` if only what waits is asked for. `own`: the number of the one that this is said of; others that run are
    then left out. `most`: of each person's jobs, beside those that run.
    """
    seats = {row["user"]: _seat(row) for row in db.execute("select * from seat")}
    most += db.execute(RUNNING).fetchone()[0]
    expected, rows = read_paces(db), db.execute(FIRST, (time.time(), HELD, most)).fetchall()
    told = ((row, _entry(row, expected, running if own in (None, row["number"]) else ALL)) for row in rows)
    entries = [(row["lane"] == IDLE, entry) for row, entry in told if entry.left > 0]
    idle = [entry for is_idle, entry in entries if is_idle]
    first = [entry for is_idle, entry in entries if not is_idle] or idle
    for entry in first:
        seats.setdefault(entry.user, Seat(entry.user)).jobs.append(entry)
    last = db.execute("select value from counter where name = 'turn'").fetchone()
    return Ring(seats.values(), last[0] if last else 0, () if first is idle else idle)


def read_line(db: sqlite3.Connection, devices: int = 1) -> Iterator[tuple[Entry, float]]:
    """Each job that is drawn, in the order in which it is begun or goes on, and how many seconds after the batch in work: what `Ring.line`
    says. Nothing of the book is read while it goes on. `devices`: so many draw.
    """
    ring, expected = read_ring(db, 1, ALL), read_paces(db)
    for row in db.execute(IN_WORK).fetchall():
        entry = _entry(row, expected, 0)
        ring.charge(entry, entry.seconds)
    return ring.line(devices)


def next_number(db: sqlite3.Connection, here: Place, others: Sequence[Place] = ()) -> int | None:
    """The number of the job that a batch is drawn of, with its turn taken; None when nobody waits, or what waits is drawn earlier by
    others. `here`: the device that asks.
    """
    ring = read_ring(db, ALL)
    before = _all_written(ring)
    job = ring.next(_placing(db, here, others))
    if job:
        _keep(db, ring, before)
    return job.number if job else None


def goes_on(db: sqlite3.Connection, number: int, here: Place, others: Sequence[Place] = ()) -> bool:
    """Whether the next batch is of this running job as well. Then its turn is taken; else nothing is changed."""
    ring = read_ring(db, 0, own=number)
    before = _all_written(ring)
    job = ring.next(_placing(db, here, others))
    if job is None or job.number != number:
        return False
    _keep(db, ring, before)
    return True


def sit_down(db: sqlite3.Connection, user: str, idle: bool = False) -> None:
    """Before a job of this person is added or can be drawn again: who has nothing to come takes the seat at the end. `idle`: the lane."""
    known = db.execute("select * from seat where user = ?", (user,)).fetchone()
    seat = _seat(known) if known else Seat(user)
    rows = db.execute(f"select state, lane, held, batches - batch as left from job where user = ? and {ACTIVE}", (user,)).fetchall()
    free = [row for row in rows if not is_held(row["held"], time.time()) and (idle or row["lane"] != IDLE)]
    to_come = sum(row["left"] - 1 if row["state"] == "running" else max(1, row["left"]) for row in free)
    if not seat.ahead and (to_come <= len(seat.called) or user in pausing(db) | holding(db)):
        seat.place = db.execute("select coalesce(max(place), 0) + 1 from seat").fetchone()[0]
    db.execute(KEEP, _written(seat))


def charge(db: sqlite3.Connection, job: sqlite3.Row, seconds: float) -> None:
    """Whose job this is has used the device for so long."""
    ring = read_ring(db, 0)
    before = _all_written(ring)
    ring.charge(Entry(job["number"], job["user"], bool(job["owner"]), 1), seconds)
    _keep(db, ring, before)


def everybody_gone(db: sqlite3.Connection) -> None:
    """Nobody waits: the ring is empty, unless somebody draws."""
    db.execute(f"delete from seat where not exists (select 1 from job where {ACTIVE})")


def _entry(row: sqlite3.Row, expected: Paces, running: int) -> Entry:
    left = row["left"] - running if row["state"] == "running" else max(1, row["left"])
    sort, work = str(row["sort"]), float(row["work"])
    return Entry(row["number"], row["user"], bool(row["owner"]), left, expected.seconds(sort, work) or 0.0, sort, work)


def _seat(row: sqlite3.Row) -> Seat:
    called = [int(turn) for turn in row["called"].split()]
    return Seat(row["user"], row["place"], row["turn"], row["balance"], row["slack"], row["ahead"], called, deque())


def _placing(db: sqlite3.Connection, here: Place, others: Sequence[Place]) -> Placing | None:
    return Placing(here, tuple(others), read_paces(db)) if here.ready or others else None


def _written(seat: Seat) -> Written:
    return seat.user, seat.place, seat.turn, seat.balance, seat.slack, seat.ahead, " ".join(map(str, seat.called))


def _all_written(ring: Ring) -> dict[str, Written]:
    return {user: _written(seat) for user, seat in ring.seats.items()}


def _keep(db: sqlite3.Connection, ring: Ring, before: dict[str, Written]) -> None:
    changed = [written for seat in ring.seats.values() if (written := _written(seat)) != before[seat.user]]
    db.executemany(KEEP, changed)
    db.executemany(LEAVE, [(seat.user,) for seat in ring.seats.values() if seat.is_empty])
    db.execute("insert or replace into counter values ('turn', ?)", (ring.turn,))
