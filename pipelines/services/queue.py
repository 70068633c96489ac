"""The queue as people see it and act on it: one's own jobs whole, those of others as "somebody's"; the owner sees all of it.

The list of all jobs is made once for each change of the queue, however many watch; a step of a job changes no list. What a viewer gets
is what of it the viewer may see.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass

from models.errors import UserError
from pipelines.job_book.book import JobBook
from pipelines.job_book.errors import NotYours, TooLate
from pipelines.job_book.following import Carried
from pipelines.job_book.listing import Listing, Queued
from pipelines.job_book.order import EVERYBODY, LANES
from pipelines.job_book.queue import OVER
from pipelines.job_book.room import EVERY, Allowance
from pipelines.jobs.progress import JobProgress
from pipelines.jobs.worker import Worker
from pipelines.requests.finish import read_chain
from pipelines.requests.request import Request
from pipelines.services.answers import QueuedJob, QueueNews
from pipelines.services.job_news import NewsDesk, newer
from pipelines.services.live_heat import LiveHeats, Word

OTHERS = 100  # jobs of others that are listed to who is not the owner
STALE = 10.0  # seconds after which the list is made anew, as time alone changes it: jobs that were edited come back
Admit = Callable[[Request, str, bool], tuple[Request, Allowance]]
OF_A_GRID = "This is a cell of a grid, so it stays as the grid asks for it. Duplicate it and change the copy, or change the grid."
STOPS = 5.0  # seconds that the undo of a Stop waits for the step in work


@dataclass(frozen=True)
class _Seen:
    version: int
    made: float
    listing: Listing
    persons: dict[str, int]


class Queue:
    """Safe to call from any thread. Acts raise `NotYours` (there is no such job), `TooLate` (it has gone on) or another `UserError`."""

    def __init__(
        self,
        book: JobBook,
        worker: Worker,
        news: NewsDesk,
        admit: Admit,
        allow: Callable[[str, bool], Allowance] = lambda user, owner: EVERY,
        admit_step: Admit | None = None,
        most: int = OTHERS,
        heats: LiveHeats | None = None,
    ) -> None:
        """`admit`: checks a request of a person, and whether it is the owner's, and returns it as it is queued, with what its person may
        ask for; `admit_step`: the same of a step of a finish; `allow`: the last alone. All raise `UserError` for who may not draw.
        `most`: see `OTHERS`. `heats`: what the words of jobs that run look at.
        """
        self._book, self._worker, self._news, self._allow, self._most = book, worker, news, allow, most
        self._admit, self._admit_step = admit, admit_step or admit
        self._heats = heats or LiveHeats()
        self._lock = threading.Lock()
        self._seen: _Seen | None = None

    # ------------------------------------------------------------------------------------------ what is told

    async def watch(self, user: str, owner: bool, after: int, timeout: float, word: Word | None = None) -> QueueNews:
        """Waits until there is something newer than version `after` for this person, at most `timeout` seconds, and tells it. `word`: the
        one of whose heat the person wants to know as well.
        """
        with self._heats.wanted_by(user) if word else nullcontext():
            await newer(self._worker.bell, lambda: self._version(user) > after, timeout, user)
            return await asyncio.to_thread(self.news, user, owner, after, word)

    def news(self, user: str, owner: bool, after: int = -1, word: Word | None = None) -> QueueNews:
        version, moved = self._version(user), self._worker.queue_version > after  # read first: what changes meanwhile is told again
        live, seen = self._worker.live_of(user), self._listing()
        told = list(self._told(seen, user, owner)) if moved else []
        shown = [job for place, job in enumerate(told) if owner or job["mine"] or place < self._most]
        return {
            "version": version,
            "jobs": shown if moved else None,
            "more": len(told) - len(shown),
            "paused": user in seen.listing.pausing,
            "all_paused": EVERYBODY in seen.listing.pausing,
            "held": not owner and not seen.listing.holding.isdisjoint({user, EVERYBODY}),
            "heat": self._heats.told(live.job, word) if live and word else None,
            "running": self._news.of_live(live, after) if live else None,
        }

    def _version(self, user: str) -> int:
        live = self._worker.live_of(user)
        return max(self._worker.queue_version, live.version if live else 0)

    def _listing(self) -> _Seen:
        with self._lock:
            version, seen = self._worker.queue_version, self._seen
            if seen is None or seen.version < version or time.monotonic() - seen.made > STALE:
                listing = self._book.queue.listing(self._worker.devices)
                persons = {user: number for number, user in enumerate(dict.fromkeys(job.user for job in listing.jobs), 1)}
                self._seen = seen = _Seen(version, time.monotonic(), listing, persons)
            return seen

    def _told(self, seen: _Seen, user: str, owner: bool) -> Iterator[QueuedJob]:
        in_work = self._batch_left(seen.listing.jobs)
        for job in seen.listing.jobs:
            whole = owner or job.user == user
            live = self._worker.live(job.id)
            own = _in_work(job, live) if live else in_work
            yield {
                "job": job.id if whole else "",
                "mine": job.user == user,
                "person": seen.persons[job.user],
                "state": "held" if job.held else job.state,
                "lane": job.lane,
                "place": 0 if live else job.place,
                "kind": job.kind if whole else "",
                "words": job.words if whole else "",
                "finish": job.chain_words if whole else "",
                "picture": job.picture if whole else "",
                "pictures": live.drawn if live else job.pictures,
                "pictures_total": job.pictures_total,
                "begun": job.begun or live is not None,
                "start": _start(job, in_work, live),
                "left": _left(job, own, live),
            }

    def _batch_left(self, jobs: Sequence[Queued]) -> float | None:
        """Seconds until a device begins another batch; 0 when one has nothing to do, None when nobody knows."""
        running = [(job, live) for job in jobs if job.state == "running" and (live := self._worker.live(job.id))]
        if len(running) < self._worker.devices:
            return 0.0
        left = [seconds for job, live in running if (seconds := _in_work(job, live)) is not None]
        return min(left) if len(left) == len(running) else None

    def onto(self, board: str) -> list[Queued]:
        """What waits and will go onto a board, in the order of drawing."""
        return [job for job in self._listing().listing.jobs if job.board == board and job.state == "waiting" and not job.held]

    # ------------------------------------------------------------------------------------------ what people do

    def move(self, job_id: str, user: str, owner: bool = False, before: str = "", lane: str = "") -> None:
        """A waiting job before another one of the same person's, or to the end of a lane ("now", "next", "idle")."""
        if lane and lane not in LANES:
            raise UserError("A job stands in one of the lanes now, next and idle.")
        self._book.queue.move(job_id, user, owner, before, lane)
        self._worker.changed()

    def cancel(self, job_ids: Sequence[str], user: str, owner: bool = False) -> list[str]:
        """Stops jobs that wait or run, and returns the ids of those that it met. `restore` brings them back."""
        for job_id in job_ids:
            job = self._book.job(job_id)
            if job is None or (job.user != user and not owner):
                raise NotYours
        met = [job_id for job_id in job_ids if self._worker.stop(job_id)]
        if job_ids and not met:
            raise TooLate(OVER)
        return met

    def cancel_all(self, user: str, running: bool = False) -> list[str]:
        """All of one's own that wait; `running`: and the one that is drawn."""
        jobs = self._book.queue.listing().jobs
        own = [job.id for job in jobs if job.user == user and (running or job.state == "waiting")]
        return [job_id for job_id in own if self._worker.stop(job_id)]

    def restore(self, job_ids: Sequence[str], user: str, owner: bool = False) -> None:
        """Undoes `cancel`: each comes back to its place, and goes on where it stood."""
        allowance = self._allow(user, owner)
        try:
            for job_id in job_ids:
                self._wait_for_stop(job_id)
                self._book.queue.restore(job_id, user, owner, allowance)
        finally:
            self._worker.changed()

    def drop(self, users: Collection[str]) -> None:
        """What waits of these persons is not drawn; what is drawn now comes to its end."""
        waiting = [job for job in self._book.queue.listing().jobs if job.user in users and job.state == "waiting"]
        dropped = [job for job in waiting if self._book.withdraw(job.id)]
        if dropped:
            self._worker.changed()

    def held(self) -> None:
        """Whose jobs are held has changed."""
        self._worker.changed()

    def pause(self, user: str, pauses: bool) -> None:
        """One's own jobs. What runs comes to the end of its batch, and then waits."""
        self._book.queue.pause(user, pauses)
        self._worker.changed()

    def pause_all(self, pauses: bool) -> None:
        """Everybody's, which only the owner may."""
        self._book.queue.pause(EVERYBODY, pauses)
        self._worker.changed()

    def duplicate(self, job_id: str, user: str, owner: bool = False, once: str = "") -> str:
        """Another job like it, at the end of its lane, also of one that has ended. Returns its id."""
        request, job = self._readable(job_id, user), self._news.job(job_id, user)
        lane, chain = self._book.queue.lane_of(job_id), read_chain(job.chain)
        carried = Carried(chain.again().written(), chain.words, origin=job.origin) if chain else Carried(origin=job.origin)
        admitted, allowance = (self._admit_step if chain else self._admit)(request, user, owner)
        return self._worker.submit(admitted, user, owner, lane, once, allowance, carried)

    def take(self, job_id: str, user: str) -> Request:
        """Takes a waiting job out for editing, for half an hour or until it is put back or given back; meanwhile it is not drawn.

        Taking it again begins the half hour anew.
        """
        request = self._readable(job_id, user)
        if self._news.job(job_id, user).grid:
            raise UserError(OF_A_GRID)
        self._book.queue.hold(job_id, user)
        self._worker.changed()
        return request

    def give_back(self, job_id: str, user: str) -> None:
        """As it was, in its place."""
        self._book.queue.give_back(job_id, user)
        self._worker.changed()

    def put_back(self, job_id: str, request: Request, user: str, owner: bool = False) -> None:
        """Another request in the place of the one that was taken out."""
        admit = self._admit_step if self._news.job(job_id, user).chain else self._admit
        self._book.queue.put_back(job_id, user, *admit(request, user, owner))
        self._worker.changed()

    def _readable(self, job_id: str, user: str) -> Request:
        job = self._news.job(job_id, user)
        if job.note:
            raise UserError(job.note)
        return job.request

    def _wait_for_stop(self, job_id: str) -> None:
        end = time.monotonic() + STOPS
        while (live := self._worker.live(job_id)) and live.stop and time.monotonic() < end:
            time.sleep(0.02)


def _start(job: Queued, in_work: float | None, live: JobProgress | None) -> float | None:
    if live:
        return 0.0
    return None if job.start is None or in_work is None else job.start + in_work


def _in_work(job: Queued, live: JobProgress) -> float | None:
    """Seconds that its batch in work takes; None when nobody knows."""
    left = live.batch_eta()
    return job.batch_seconds if left is None else left


def _left(job: Queued, in_work: float | None, live: JobProgress | None) -> float | None:
    if live and (eta := live.eta()) is not None:
        return eta
    return None if job.seconds is None else job.seconds + (in_work or 0.0 if live else 0.0)
