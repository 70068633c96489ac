"""A hand of the worker: one device, and the thread that draws on it, the only one that touches the weights there."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from models.errors import UserError
from models.memory.manager import Key
from pipelines.job_book.book import FAILED, STOPPED, WAITING, BookError, Job, PictureRecord
from pipelines.job_book.placing import ALL_HERE, Place
from pipelines.jobs.backoff import Backoff
from pipelines.jobs.errands import Errands
from pipelines.jobs.events import Step
from pipelines.jobs.hands import Shared
from pipelines.jobs.job_run import JobRun, Surroundings
from pipelines.jobs.opener import Opener
from pipelines.jobs.progress import JobProgress, begun
from pipelines.jobs.runner import Runner, at_hand, coming
from pipelines.jobs.saving import Saving
from pipelines.jobs.sending import is_sending
from pipelines.jobs.taken import Taken

log = logging.getLogger(__name__)

STARTING = ("starting", "The studio is warming up. You can type, and even generate; the job starts by itself.")
READY = ("ready", "Ready.")
NEXT = ("starting", "A device is being made ready. What waits starts by itself.")  # one beside the first
NO_QUEUE = "The queue does not go on at the moment; the details are in the log. It is tried again by itself."
WAITED = 5.0  # seconds that the end of a job waits for what could not be written
LOOKS = 30.0  # seconds between looks whether a job that was being edited has come back to the queue
ASKS_AGAIN = 0.5  # seconds between looks at jobs that would end earlier on another device


class Hand:
    def __init__(self, number: int, open_runner: Callable[[], Runner], shared: Shared, machine: str = "") -> None:
        """`open_runner` is called in the hand's thread: it imports the libraries and loads the default model, which takes seconds.

        `machine`: the computer where its device is, if that is another.
        """
        self.number, self.shared, self.machine = number, shared, machine
        self._wake = threading.Event()
        self.saving = Saving(shared.book, shared.outputs, self._wake.set, shared.moved)
        self.errands = Errands()  # for this device alone
        self.state = NEXT if number else STARTING
        self.runner: Runner | None = None  # there once it has opened
        self.live: JobProgress | None = None  # what it draws
        self.paused = False
        self._in_work: Runner | None = None  # the one that draws
        self._taken = Taken(shared.book)
        self._opener = Opener(number, open_runner, shared.closing.is_set, machine)
        self.around = Surroundings(
            shared.book, shared.outputs, self.saving, shared.steps, shared.closing.is_set, self._goes_on, self._news, self.say,
            shared.followers, shared.onlooker, self._lost, self._stands_back, self._stood_back, lambda: self.device_of_several,
        )  # fmt: skip
        self.thread = threading.Thread(target=self._work, name=f"worker {number}" if number else "worker", daemon=True)

    @property
    def device(self) -> str:
        """The name of the device, "" before it is known."""
        runner = self.runner or self._in_work
        return runner.device_name if runner else ""

    @property
    def device_of_several(self) -> str:
        """The same, where its pace is to be told from those of others."""
        return self.device if self.shared.beside(self) else ""

    @property
    def draws(self) -> bool:
        """It takes jobs, now or when it has done what it does."""
        return self.runner is not None and not self.runner.lost and not self.paused

    def place(self) -> Place:
        """As others see it at this moment, from any thread."""
        if (runner := self.runner) is None:
            return Place(self.device, free=self._taken.left(self.live))
        return Place(self.device, frozenset(at_hand(runner)), self._taken.left(self.live), coming(runner))

    def wake(self) -> None:
        self._wake.set()

    def open_again(self) -> None:
        """What could not be opened may be there now."""
        self._opener.again()

    def come_to_a_stop(self) -> None:
        """What it draws is unwanted."""
        self._wake.set()
        if self.shared.closing.is_set():
            self._opener.again()
        runner = self._in_work or self.runner
        if runner and self.live:
            runner.interrupt()

    def say(self, trouble: str) -> None:
        lost = self.runner.lost if self.runner else ""
        state = ("failed", lost) if lost else ("troubled", trouble) if trouble else READY
        if state != self.state:
            self.state = state
            self.shared.moved()

    def reading(self) -> Key | None:
        """What it reads from the disk."""
        runner = self._in_work or self.runner
        return runner.reading if runner else None

    # ------------------------------------------------------------------------------------------ the thread

    def _work(self) -> None:
        runner, backoff = self._open(), Backoff()
        while runner and not self.shared.closing.is_set():
            self._wake.clear()
            busy, trouble = self._turn(runner)
            self.say(trouble)
            if runner.lost and runner.is_apart:
                runner = self._opened_anew(runner)
            elif not busy:
                self._wake.wait(backoff.next() if trouble else backoff.none() or self._until())
        self.saving.give_up()
        if runner:
            runner.close()

    def _opened_anew(self, lost: Runner) -> Runner | None:
        self.runner = None
        lost.close()
        return self._open()

    def _until(self) -> float | None:
        """Seconds after which something may have changed of which nobody tells."""
        try:
            if self.shared.beside(self) and not self.paused and self.shared.book.waiting():
                return ASKS_AGAIN
            return LOOKS if self.shared.book.queue.any_held() else None
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
        if runner.lost:
            return False
        helped = self._do_errand(runner)
        self.shared.recover()
        job = self._claim(runner)
        if job:
            self._run(job, runner)
        return helped or job is not None

    def _do_errand(self, runner: Runner) -> bool:
        """Those of everybody are left to others while it pauses, if there are any, and where it draws apart."""
        self._taken.by_errands()
        try:
            own = self.errands.run_one(runner)
            left_to_others = runner.is_apart or (self.paused and self.shared.is_helped(self))
            return own if left_to_others else self.shared.errands.run_one(runner) or own
        finally:
            self._taken.by_nothing()

    def _open(self) -> Runner | None:
        self.runner = self._opener.opened(self._not_open)
        if self.runner:
            self.runner.tell = self._prepares
            self.say("")
            self.shared.opened(self)
        return self.runner

    def _not_open(self, sentence: str) -> bool:
        """Answers whether that is news."""
        before, self.state = self.state, ("failed", sentence)
        self.shared.opened(self)
        self.shared.moved()
        return self.state != before

    def _prepares(self) -> None:
        """Something is read for the job that runs, and whoever watches it is told. Or the device is lost, which an idle hand must see."""
        if self.runner and self.runner.lost:
            self._wake.set()
        live = self.live
        if live:
            live.version, live.has_read, live.has_loaded = self.shared.versions.next(), True, True
            live.has_sent = live.has_sent or is_sending(self.reading())
        self.shared.bell.ring()

    # ------------------------------------------------------------------------------------------ one job

    def _claim(self, runner: Runner) -> Job | None:
        ready, lacks, others = at_hand(runner), coming(runner), self.shared.beside(self)
        with self.shared.claiming:
            job = None if self.paused else self.shared.book.claim(ready, others, runner.device_name if others else "", lacks)
            if job:
                self.live = self.shared.live[job.id] = begun(job, self.shared.versions.next(), self.shared.book.pictures_of)
                self.live.reading = self.reading
        if job:
            self._taken.by_batch(job, ready, lacks, self.device_of_several)
            self.shared.moved()
        return job

    def _run(self, job: Job, runner: Runner) -> None:
        shared, live, self._in_work, state = self.shared, self.shared.live[job.id], runner, ""
        try:
            run = JobRun(live, runner, self.around)
            state, message = run.outcome()  # where it has given way another hand may draw it already
            if state != WAITING and not (state == STOPPED and shared.closing.is_set()):
                self._write_out(job, live)
                self.saving.end(job, state, message, run.then)
        finally:
            if state != WAITING:
                shared.steps.end(job.id, goes_on=state == STOPPED or self.saving.waits(job.id))
                shared.live.pop(job.id, None)
            self.live = None
            self._taken.by_nothing()
            shared.followers.over(job)
            shared.moved()

    def _write_out(self, job: Job, live: JobProgress) -> None:
        """Waits a little for pictures that could not be saved yet: most troubles pass, and then nobody hears of them."""
        backoff, end = Backoff(), time.monotonic() + WAITED
        while self.saving.is_hindered(job.id) and not (live.stop or self.shared.closing.is_set()) and time.monotonic() < end:
            self.say(self.saving.trouble)
            self._wake.wait(backoff.next())
            self._wake.clear()
            self.saving.write()

    def _goes_on(self, live: JobProgress) -> bool:
        """Between two batches. If somebody else is next the job waits again, and is live no more, at one and the same moment."""
        shared, runner = self.shared, self._in_work
        ready, lacks = (at_hand(runner), coming(runner)) if runner else ((), ALL_HERE)
        others = shared.beside(self)
        with shared.claiming:
            if live.stop or shared.closing.is_set():
                return False
            if self.paused:
                shared.book.queue.gives_way(live.job.id)
            elif shared.book.queue.goes_on(live.job.id, ready, others, self.device if others else "", lacks):
                self._taken.by_batch(live.job, ready, lacks, self.device_of_several)
                return True
            self._let_go(live)
            return False

    def _lost(self, live: JobProgress) -> tuple[str, str]:
        """The device answers no more: the job waits again, to go on elsewhere from its last kept step, or when Atelier is started anew."""
        self.say("")
        self.shared.opened(self)
        job, shared = live.job.id, self.shared
        with shared.claiming:
            if live.stop:
                return STOPPED, ""
            if self.saving.waits(job):
                return FAILED, self.state[1]  # what is not written yet is known here alone
            apart = self._in_work is not None and self._in_work.is_apart
            known = live.progress.taken or not apart  # else it was gone before, as several go together with their cable
            too_many = shared.losses.too_many(job, known, bool(self.machine))
            if too_many and (apart or shared.beside(self)):
                return FAILED, f"{too_many} {self.state[1]}"
            shared.book.queue.gives_way(job)
            self._let_go(live)
            return WAITING, ""

    def _stands_back(self, live: JobProgress) -> bool:
        return self.paused and is_sending(self.reading()) and not self.saving.waits(live.job.id)

    def _stood_back(self, live: JobProgress) -> tuple[str, str]:
        """What has come stays there, so it goes on from there when the job comes back."""
        with self.shared.claiming:
            if live.stop or self.shared.closing.is_set():
                return STOPPED, ""
            self.shared.book.queue.gives_way(live.job.id)
            self._let_go(live)
            return WAITING, ""

    def _let_go(self, live: JobProgress) -> None:
        """The job waits again: nothing of it is known here any more when another hand can have it."""
        self.shared.steps.end(live.job.id, goes_on=True)
        self.shared.book.released(live.job.id)
        del self.shared.live[live.job.id]

    def _news(self, live: JobProgress, news: Step | PictureRecord) -> None:
        live.advance(news, self.shared.versions.next())
        self.shared.bell.ring(live.job.user)
