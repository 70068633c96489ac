"""The worker: one thread, the only one that touches weights. It takes jobs from the book and runs them to their end."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import replace
from typing import TypeVar

from models.errors import UserError
from pipelines.job_book.book import NOTHING, STOPPED, WAITING, BookError, Job, JobBook, PictureRecord
from pipelines.job_book.following import Carried
from pipelines.job_book.room import EVERY, Allowance
from pipelines.jobs.backoff import Backoff
from pipelines.jobs.errands import Errands
from pipelines.jobs.events import Step
from pipelines.jobs.job_run import BROKEN, Followers, JobRun, Surroundings, settled
from pipelines.jobs.keeping import StepKeeper
from pipelines.jobs.onlooker import Onlookers, nobody
from pipelines.jobs.outputs import Outputs
from pipelines.jobs.progress import Bell, JobProgress, Versions, begun
from pipelines.jobs.runner import Runner, at_hand
from pipelines.jobs.saving import Saving
from pipelines.requests.request import Request
from pipelines.steps.store import KeptSteps

log = logging.getLogger(__name__)

STARTING = ("starting", "The studio is warming up. You can type, and even generate; the job starts by itself.")
READY = ("ready", "Ready.")
NO_QUEUE = "The queue does not go on at the moment; the details are in the log. It is tried again by itself."
WAITED = 5.0  # seconds that the end of a job waits for what could not be written
REOPENED = 5.0, 60.0  # seconds between tries to open the runner
LOOKS = 30.0  # seconds between looks whether a job that was being edited has come back to the queue

__all__ = ["BROKEN", "Worker", "settled"]
Answer = TypeVar("Answer")


class Worker:
    def __init__(
        self,
        book: JobBook,
        outputs: Outputs,
        open_runner: Callable[[], Runner],
        followers: Followers | None = None,
        steps: KeptSteps | None = None,
        onlooker: Onlookers = nobody,
    ) -> None:
        """`open_runner` is called in the worker's thread: it imports the libraries and loads the default model, which takes seconds.

        `followers`: say what goes on from a finished picture; without it, nothing does. `steps`: where those of pictures are kept;
        without it, none are. `onlooker`: gives each job that begins who looks at it.
        """
        self.book = book
        self.outputs = outputs
        self.steps = StepKeeper(steps or KeptSteps(outputs.folder, 0), book.rated)
        self.errands = Errands()
        self.versions = Versions(book.first_version)
        self.queue_version = self.versions.next()
        self.bell = Bell()  # rings for its person at every step, and for everybody whenever the queue moves
        self.state = STARTING
        self._open_runner = open_runner
        self.runner: Runner | None = None  # there once it has opened
        self._in_work: Runner | None = None  # the one that draws
        self._live: dict[str, JobProgress] = {}
        self._claiming = threading.Lock()  # a job is waiting or live to whoever holds it, and never in between
        self._recovered = False
        self._wake = threading.Semaphore(0)
        self.saving = Saving(book, outputs, self._wake.release, self._queue_moved)
        self._closing = threading.Event()
        self._around = Surroundings(
            book,
            outputs,
            self.saving,
            self.steps,
            self._closing.is_set,
            self._goes_on,
            self._news,
            self._say,
            followers or Followers(),
            onlooker,
        )
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)

    def start(self) -> None:
        try:
            self._recover()
        except Exception:
            log.exception("the jobs that were running could not be looked through yet; the worker tries again")
        self._thread.start()

    def close(self, timeout: float = 10) -> None:
        """Stops the running job within a step and ends the thread. What waits keeps its place for the next start."""
        self._closing.set()
        self._come_to_a_stop()
        if self._thread.is_alive():
            self._thread.join(timeout)
        self.steps.close()
        if self.saving.trouble:
            log.error("The studio closes with something unwritten: %s", self.saving.trouble)

    def submit(
        self,
        request: Request,
        user: str,
        owner: bool = False,
        lane: str = "next",
        once: str = "",
        allowance: Allowance = EVERY,
        carried: Carried = NOTHING,
    ) -> str:
        job_id = self.book.submit(request, user, owner, lane, once, allowance, carried)
        self.changed()
        return job_id

    def changed(self) -> None:
        """Somebody has changed what waits: the worker looks anew, and all who watch are told."""
        self._queue_moved()
        self._wake.release()

    def live(self, job_id: str) -> JobProgress | None:
        return self._live.get(job_id)

    def known(self, job: Job) -> Job:
        """The job as it stands, also where the book could not be told yet that it has ended."""
        state, message = self.saving.ended.get(job.id, (job.state, job.message))
        return replace(job, state=state, message=message)

    def lives(self) -> tuple[JobProgress, ...]:
        """All that run, of everybody."""
        return tuple(self._live.values())

    def live_of(self, user: str) -> JobProgress | None:
        """The running job of this person."""
        return next((live for live in tuple(self._live.values()) if live.job.user == user), None)

    def stop(self, job_id: str) -> bool:
        """Acts within one step on a running job, at once on a waiting one, not at all on one that has ended: then it returns False."""
        with self._claiming:
            live = self._live.get(job_id)
            withdrawn = not live and self.book.withdraw(job_id)
        if live:
            live.stop = True
            self._come_to_a_stop()
        elif withdrawn:
            self._queue_moved()
        return live is not None or withdrawn

    def _come_to_a_stop(self) -> None:
        self._wake.release()
        if self.runner and self._live:
            self.runner.interrupt()

    def skip(self, job_id: str) -> None:
        """Goes on to the next batch of a running job."""
        live = self._live.get(job_id)
        if live:
            live.skip = True

    def between_jobs(self, person: str, work: Callable[[Runner], Answer]) -> Future[Answer]:
        """Does the work in the worker's thread: now if it is idle, else when the job that runs has ended. See `Errands`."""
        future = self.errands.put(person, work)
        self._wake.release()
        return future

    def _work(self) -> None:
        runner, backoff = self._open(), Backoff()
        while runner and not self._closing.is_set():
            busy, trouble = self._turn(runner)
            self._say(trouble)
            if not busy:
                self._wake.acquire(timeout=backoff.next() if trouble else backoff.none() or self._until())
        self.saving.give_up()

    def _until(self) -> float | None:
        """Seconds after which something may have changed of which nobody tells."""
        try:
            return LOOKS if self.book.queue.any_held() else None
        except BookError:
            return LOOKS

    def _turn(self, runner: Runner) -> tuple[bool, str]:
        """Whether there was something to do, and what is wrong. Nothing that goes wrong ends the thread."""
        try:
            return self.run_next(runner), self.saving.trouble
        except UserError as error:
            return False, str(error)
        except Exception:
            log.exception("the worker could not go on with the queue")
            return False, NO_QUEUE

    def run_next(self, runner: Runner) -> bool:
        """Does what waits to be written, one errand and one waiting job, in the thread that calls. False when nobody waits.

        Raises `BookError` when the book does not say which job is next.
        """
        self.saving.write()
        helped = self.errands.run_one(runner)
        self._recover()
        job = self._claim(runner)
        if job:
            self._run(job, runner)
        return helped or job is not None

    def _recover(self) -> None:
        if self._recovered:
            return
        interrupted = self.book.recover(self.steps.kept.came_on)
        self._recovered = True
        self.steps.kept.sweep(self.book.may_go_on)
        if interrupted:
            log.info("%d job(s) were running when the server last went away; marked as interrupted", interrupted)

    def _open(self) -> Runner | None:
        backoff = Backoff(*REOPENED)
        while not self._closing.is_set():
            try:
                self.runner = self._open_runner()
            except Exception as error:  # noqa: BLE001  it is told and tried again
                self._not_open(error)
                self._closing.wait(backoff.next())
            else:
                self.runner.tell = self._prepares
                self.errands.refuse("")
                self._say("")
                return self.runner
        return None

    def _not_open(self, error: Exception) -> None:
        sentence = str(error) if isinstance(error, UserError) else "The studio could not start; the details are in the log."
        if self.state != ("failed", sentence):
            log.error("the studio could not start; it is tried again", exc_info=error)
        self.state = ("failed", sentence)
        self.errands.refuse(sentence)
        self._queue_moved()

    def _prepares(self) -> None:
        """Something is read for the job that runs, and whoever watches it is told."""
        for live in tuple(self._live.values()):
            live.version, live.has_read = self.versions.next(), True
        self.bell.ring()

    def _say(self, trouble: str) -> None:
        state = ("troubled", trouble) if trouble else READY
        if state != self.state:
            self.state = state
            self._queue_moved()

    def _claim(self, runner: Runner) -> Job | None:
        there = at_hand(runner)
        with self._claiming:
            job = self.book.claim(there)
            if job:
                self._live[job.id] = begun(job, self.versions.next(), self.book.pictures_of)
        if job:
            self._queue_moved()
        return job

    def _run(self, job: Job, runner: Runner) -> None:
        live, self._in_work, state = self._live[job.id], runner, ""
        try:
            run = JobRun(live, runner, self._around)
            state, message = run.outcome()
            if state != WAITING and not (state == STOPPED and self._closing.is_set()):
                self._write_out(job, live)
                self.saving.end(job, state, message, run.then)
        finally:
            self.steps.end(job.id, goes_on=state in (WAITING, STOPPED) or self.saving.waits(job.id))
            self._live.pop(job.id, None)
            self._around.followers.over(job)
            self._queue_moved()

    def _write_out(self, job: Job, live: JobProgress) -> None:
        """Waits a little for pictures that could not be saved yet: most troubles pass, and then nobody hears of them."""
        backoff, end = Backoff(), time.monotonic() + WAITED
        while self.saving.is_hindered(job.id) and not (live.stop or self._closing.is_set()) and time.monotonic() < end:
            self._say(self.saving.trouble)
            self._wake.acquire(timeout=backoff.next())
            self.saving.write()

    def _goes_on(self, live: JobProgress) -> bool:
        """Between two batches. If somebody else is next the job waits again, and is live no more, at one and the same moment."""
        there = at_hand(self._in_work) if self._in_work else ()
        with self._claiming:
            if live.stop or self._closing.is_set():
                return False
            if self.book.queue.goes_on(live.job.id, there):
                return True
            self.book.released(live.job.id)
            del self._live[live.job.id]
            return False

    def _news(self, live: JobProgress, news: Step | PictureRecord) -> None:
        live.advance(news, self.versions.next())
        self.bell.ring(live.job.user)

    def _queue_moved(self) -> None:
        self.queue_version = self.versions.next()
        self.bell.ring()
