"""The queue in the job book: what people do with jobs that wait, and what a batch that was drawn changes.

Every act is one transaction, so of two windows that act at once one is first, and the other is told how things stand. An act on a job
that is not one's own is answered as if there was none; the owner of the studio may act on all.
"""

from __future__ import annotations

import itertools
import json
import sqlite3
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from pipelines.job_book.errors import NotYours, TooLate
from pipelines.job_book.file import BookFile
from pipelines.job_book.listing import Listing, lane_called, listing_of, read_queue
from pipelines.job_book.order import (
    ACTIVE,
    EVERYBODY,
    LANES,
    OWN_ORDER,
    charge,
    goes_on,
    holding,
    pausing,
    read_line,
    sit_down,
)
from pipelines.job_book.pace import learn, learn_reading, model_of, read_paces, sort_of, work_of
from pipelines.job_book.placing import ALL_HERE, Place
from pipelines.job_book.room import EVERY, Allowance, check_hour, check_room
from pipelines.job_book.running import RUNS
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Request, describe

RUNS_NOW = "This job is being drawn at this moment, so it cannot be changed. Stop it, or duplicate it and change the copy."
BEGUN = "Some pictures of this job are drawn already, so it cannot be changed. Duplicate it and change the copy."
OVER = "This job has ended meanwhile."
PUT_BACK = "This job was put back meanwhile, from another window or because half an hour was over. Take it again to change it."
NOT_STOPPED = "This job cannot come back: it was not stopped, or has come back already."
STOPPING = "This job is just being stopped. Try again in a moment."

MOST_WORDS = 300  # characters
OWN = f"select id, lane, coalesce(place, number) as place from job where user = ? and {ACTIVE} order by {OWN_ORDER}"


class BookQueue:
    """Safe to use from any thread. Everything here raises `BookError` when the book cannot be read or written."""

    def __init__(self, file: BookFile) -> None:
        self._file = file

    # ------------------------------------------------------------------------------------------ what is drawn

    def used(self, job_id: str, progress: Progress, seconds: float, teaches: bool = True, device: str = "", has_read: bool = False) -> None:
        """A batch was drawn, or given up, and took so long. `teaches`: as others like it will. `device`: the one that drew it, where there
        are several; `has_read`: that it took longer than others will is what reading its model took.
        """
        with self._file.transaction() as db:
            query = "update job set batch = ?, pictures = ?, stored = ?, used = used + ? where id = ?"
            db.execute(query, (*progress.written(), seconds, job_id))
            job = db.execute("select * from job where id = ?", (job_id,)).fetchone()
            if job:
                charge(db, job, seconds)
            if job and teaches:
                learn(db, job["sort"], job["work"], seconds, device)
            elif job and has_read and (usual := read_paces(db).seconds(job["sort"], job["work"], device)) is not None:
                learn_reading(db, job["sort"], seconds - usual)

    def goes_on(
        self,
        job_id: str,
        at_hand: Collection[str] = (),
        others: Sequence[Place] = (),
        device: str = "",
        coming: Mapping[str, float] = ALL_HERE,
    ) -> bool:
        """Whether the next batch of this running job is drawn now. If not, it waits again, and whoever is next is to be claimed. For the
        other arguments see `JobBook.claim`.
        """
        with self._file.transaction() as db:
            job = db.execute("select * from job where id = ?", (job_id,)).fetchone()
            if job is None or goes_on(db, job["number"], Place(device, frozenset(at_hand), coming=coming), others):
                return True
            db.execute("update job set state = 'waiting' where id = ? and state = 'running'", (job_id,))
            return False

    def gives_way(self, job_id: str) -> None:
        """A running job waits again, whoever is next."""
        with self._file.transaction() as db:
            db.execute("update job set state = 'waiting' where id = ? and state = 'running'", (job_id,))

    # ------------------------------------------------------------------------------------------ what is told

    def expected(self, request: Request, device: str = "", reads: bool = False) -> float | None:
        """Seconds that one batch of this request will take at the pace that is known; None when nothing like it was ever drawn. `device`:
        there, by its name; `reads`: with those in which its model is read.
        """
        with self._file.reading() as db:
            paces, sort = read_paces(db), sort_of(request)
        seconds = paces.seconds(sort, work_of(request), device)
        return None if seconds is None else seconds + (paces.reading(model_of(sort)) if reads else 0.0)

    def pace(self, work: float, device: str = "") -> float | None:
        """Seconds that so much work of any drawing takes; None when nothing was ever drawn. `device`: on this one."""
        with self._file.reading() as db:
            return read_paces(db).seconds("", work, device)

    def listing(self, devices: int = 1) -> Listing:
        """`devices`: so many draw side by side."""
        with self._file.reading() as db:
            read = read_queue(db, devices)
        return listing_of(read)

    def ahead(self, job_id: str) -> int:
        """How many jobs are begun before this one in the fair order if nobody submits more: 0 when it runs, has ended, or is next."""
        with self._file.reading() as db:
            line = read_line(db)
            running = [row["number"] for row in db.execute(f"select number from job where {RUNS}")]
            asked = db.execute("select number from job where id = ? and state = 'waiting'", (job_id,)).fetchone()
        before = itertools.takewhile(lambda number: asked and number != asked["number"], (entry.number for entry, _ in line))
        return len({*before, *running}) if asked else 0

    def pausing(self) -> frozenset[str]:
        """Persons; `EVERYBODY` for the whole studio."""
        with self._file.reading() as db:
            return frozenset(pausing(db))

    def is_held(self, job_id: str) -> bool:
        """Whether the owner of the studio holds it, with all of its person's or of all guests'."""
        holds = "user in (select user from held) or (not owner and exists (select 1 from held where user = ''))"
        return bool(self._file.rows(f"select 1 from job where id = ? and ({holds})", (job_id,)))

    def lane_of(self, job_id: str) -> str:
        """By its name."""
        rows = self._file.rows("select lane from job where id = ?", (job_id,))
        return lane_called(rows[0]["lane"]) if rows else "next"

    def any_held(self) -> bool:
        """Whether a job may come back to the queue because time goes by."""
        with self._file.reading() as db:
            return db.execute("select 1 from job where state = 'waiting' and held is not null limit 1").fetchone() is not None

    def others_wait(self, user: str) -> bool:
        """Whether somebody else has a job that could be drawn now."""
        with self._file.reading() as db:
            paused = pausing(db) | holding(db)
            waiting = db.execute("select distinct user from job where state = 'waiting' and held is null").fetchall()
        return EVERYBODY not in paused and any(row["user"] != user and row["user"] not in paused for row in waiting)

    # ------------------------------------------------------------------------------------------ what people do

    def check_room(self, user: str, owner: bool, more: int, allowance: Allowance = EVERY) -> None:
        """Raises `UserError` where so many jobs more would be too many."""
        with self._file.reading() as db:
            check_room(db, user, owner, allowance.jobs, more)

    def check_hour(self, user: str, allowance: Allowance) -> None:
        """Raises `UserError` where a job asks for more than is left of this hour."""
        with self._file.reading() as db:
            check_hour(db, user, allowance)

    def move(self, job_id: str, user: str, owner: bool, before: str = "", lane: str = "") -> None:
        """Puts a waiting job before another one of the same person, or, without one, to the end of a lane: its own if none is named."""
        with self._file.transaction() as db:
            job = _waiting(db, job_id, user, owner)
            own = db.execute(OWN, (job["user"],)).fetchall()
            target = next((row for row in own if row["id"] == before), None)
            if before and target is None:
                raise TooLate(OVER.replace("This job", "The job that it was to stand before"))
            into = LANES[lane] if lane else target["lane"] if target else job["lane"]
            order = _with_moved(own, job_id, into, before if target and target["lane"] == into else "")
            places = sorted(row["place"] for row in own)
            db.executemany("update job set place = ? where id = ?", zip(places, order, strict=True))
            db.execute("update job set lane = ? where id = ?", (into, job_id))

    def restore(self, job_id: str, user: str, owner: bool, allowance: Allowance = EVERY) -> None:
        """Brings a job back that was stopped, to its place and to where it stood. `allowance`: of who brings it back."""
        with self._file.transaction() as db:
            job = _known(db, job_id, user, owner)
            if job["state"] == "running":
                raise TooLate(STOPPING)
            if job["state"] != "stopped" or not job["withdrawn"]:
                raise TooLate(NOT_STOPPED)
            check_room(db, job["user"], bool(job["owner"]), allowance.jobs)
            check_hour(db, job["user"], replace(allowance, megapixels=job["megapixels"]), instead=job_id)
            sit_down(db, job["user"])
            db.execute("update job set state = 'waiting', ended = null, held = null, withdrawn = 0, message = '' where id = ?", (job_id,))

    def hold(self, job_id: str, user: str) -> None:
        """Takes a waiting job out for editing: it keeps its place and is not drawn until it is put back or given back."""
        with self._file.transaction() as db:
            _unbegun(db, job_id, user)
            db.execute("update job set held = ? where id = ?", (time.time(), job_id))

    def give_back(self, job_id: str, user: str) -> None:
        """As it was. What is not held stays as it is."""
        with self._file.transaction() as db:
            _waiting(db, job_id, user, owner=False)
            sit_down(db, user)
            db.execute("update job set held = null where id = ?", (job_id,))

    def put_back(self, job_id: str, user: str, request: Request, allowance: Allowance = EVERY) -> None:
        """Another request in the place of one that was taken out."""
        with self._file.transaction() as db:
            if _unbegun(db, job_id, user)["held"] is None:
                raise TooLate(PUT_BACK)
            check_hour(db, user, allowance, instead=job_id)
            sit_down(db, user)
            query = """update job set request = ?, megapixels = ?, batches = ?, each = ?, work = ?, sort = ?, words = ?, held = null
              where id = ?"""
            db.execute(query, (json.dumps(describe(request)), allowance.megapixels, *queued_as(request), job_id))

    def pause(self, user: str, pauses: bool) -> None:
        """From the next batch on nothing of this person is drawn; or it goes on. `EVERYBODY`: the whole studio."""
        with self._file.transaction() as db:
            if pauses:
                db.execute("insert or ignore into pause values (?)", (user,))
                return
            if user != EVERYBODY and user in pausing(db):
                sit_down(db, user)
            db.execute("delete from pause where user = ?", (user,))


def queued_as(request: Request) -> tuple[int, int, float, str, str]:
    """What the queue knows of a request: batches, pictures of one, its work, its sort, its words."""
    return request.batch_total, request.pictures_a_batch, work_of(request), sort_of(request), request.words[:MOST_WORDS]


def _known(db: sqlite3.Connection, job_id: str, user: str, owner: bool) -> sqlite3.Row:
    try:
        job = db.execute("select * from job where id = ?", (job_id,)).fetchone()
    except UnicodeEncodeError:  # half of a letter names nothing
        job = None
    if job is None or (job["user"] != user and not owner):
        raise NotYours
    return job


def _waiting(db: sqlite3.Connection, job_id: str, user: str, owner: bool) -> sqlite3.Row:
    job = _known(db, job_id, user, owner)
    if job["state"] != "waiting":
        raise TooLate(RUNS_NOW if job["state"] == "running" else OVER)
    return job


def _unbegun(db: sqlite3.Connection, job_id: str, user: str) -> sqlite3.Row:
    job = _waiting(db, job_id, user, owner=False)
    if job["pictures"] or job["batch"]:
        raise TooLate(BEGUN)
    return job


def _with_moved(own: list[sqlite3.Row], job_id: str, lane: int, before: str) -> list[str]:
    """The ids in their new order. Without `before`: behind all of the lane."""
    others = [row for row in own if row["id"] != job_id]
    ids = [row["id"] for row in others]
    place = ids.index(before) if before in ids else sum(row["lane"] <= lane for row in others)
    return [*ids[:place], job_id, *ids[place:]]
