"""The listing: all jobs that wait or run in the order in which they are begun, and when."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass

from pipelines.job_book.order import ACTIVE, IDLE, LANES, OWN_ORDER, holding, is_held, pausing, read_line
from pipelines.job_book.pace import Paces, read_paces
from pipelines.job_book.ring import Entry

LISTED = f"""select number, id, user, state, lane, held, batches, each, pictures, batch, work, sort, words, chain_words, board
  from job where {ACTIVE}
  order by user, {OWN_ORDER}"""


@dataclass(frozen=True, slots=True)
class Queued:
    """A job that waits or runs, as it stands in the queue."""

    id: str
    user: str
    state: str
    kind: str
    words: str  # the beginning of the prompt
    chain_words: str  # which step it is of several, or ""
    board: str  # the id of the board that its pictures go onto, or ""
    lane: str
    held: bool  # somebody edits it
    pictures: int  # that are drawn
    pictures_total: int
    begun: bool
    picture: str  # id of its newest one, or ""
    seconds: float | None  # that what is left of it will take; of one that runs without the batch in work; None when nobody knows
    batch_seconds: float | None
    place: int | None  # jobs that wait and are begun before it; None for what does not come to its turn, as it is held or paused
    start: float | None  # seconds after the batch in work; None when nobody knows


@dataclass(frozen=True, slots=True)
class Listing:
    """All jobs that wait or run, as they are begun or go on. One that does not come to its turn stands where it would."""

    jobs: tuple[Queued, ...]
    pausing: frozenset[str]  # persons; `EVERYBODY` for the whole studio
    holding: frozenset[str] = frozenset()  # whose jobs the owner holds; `EVERYBODY` for all guests


@dataclass(frozen=True, slots=True)
class QueueRead:
    """What the book holds of the queue at one moment."""

    rows: list[sqlite3.Row]  # by person, and of each in the own order
    line: Iterator[tuple[Entry, float]]
    expected: Paces
    newest: Mapping[str, str]  # the id of the newest picture, by the id of its job
    pausing: frozenset[str]
    holding: frozenset[str]


def read_queue(db: sqlite3.Connection, devices: int) -> QueueRead:
    """`devices`: so many draw side by side."""
    rows, pauses, expected, line = db.execute(LISTED).fetchall(), pausing(db), read_paces(db), read_line(db, devices)
    held = holding(db)
    newest = dict(db.execute(f"select job, max(number) from picture where job in (select id from job where {ACTIVE}) group by job"))
    ids = {job: db.execute("select id from picture where number = ?", (number,)).fetchone()[0] for job, number in newest.items()}
    return QueueRead(rows, line, expected, ids, frozenset(pauses), frozenset(held))


def listing_of(read: QueueRead) -> Listing:
    """Works out the line, which takes long where many wait: nothing of the book is read meanwhile."""
    starts = _starts(read.line, {row["number"] for row in read.rows if row["state"] == "running"})
    places = {number: place for place, number in enumerate(starts)}
    rows = _in_order(read.rows, places)
    jobs = [
        _queued(row, read.newest.get(row["id"], ""), read.expected, places.get(row["number"]), starts.get(row["number"])) for row in rows
    ]
    return Listing(tuple(jobs), read.pausing, read.holding)


def lane_called(number: int) -> str:
    """The name of a lane."""
    return next(name for name, each in LANES.items() if each == min(max(number, 0), IDLE))


def _starts(line: Iterable[tuple[Entry, float]], running: Collection[int]) -> dict[int, float | None]:
    """When each job that waits is begun, by its number and in this order. Behind one that nobody knows the pace of, nobody knows when."""
    starts: dict[int, float | None] = {}
    known = True
    for entry, start in line:
        if entry.number not in running:
            starts[entry.number] = start if known else None
        known = known and entry.seconds > 0
    return starts


def _in_order(rows: list[sqlite3.Row], places: dict[int, int]) -> list[sqlite3.Row]:
    """What runs, then what waits. `rows`: by person, and of each in the own order. One without a place stands before the next own one."""
    ranks: dict[int, int] = {}
    following, user = len(places), ""
    for row in reversed(rows):
        following = following if row["user"] == user else len(places)
        ranks[row["number"]] = following = places.get(row["number"], following)
        user = row["user"]
    return sorted(rows, key=lambda row: (row["state"] != "running", ranks[row["number"]]))


def _queued(row: sqlite3.Row, picture: str, expected: Paces, place: int | None, start: float | None) -> Queued:
    batch = expected.seconds(row["sort"], row["work"]) if row["work"] else None
    runs = row["state"] == "running"
    left = max(0, row["batches"] - row["batch"] - runs)
    return Queued(
        row["id"],
        row["user"],
        row["state"],
        str(row["sort"]).partition(" ")[0],
        str(row["words"]),
        str(row["chain_words"]),
        str(row["board"]),
        lane_called(row["lane"]),
        not runs and is_held(row["held"], time.time()),
        row["pictures"],
        row["batches"] * row["each"],
        bool(row["pictures"] or row["batch"]),
        picture,
        None if batch is None else batch * left,
        batch,
        place,
        start,
    )
