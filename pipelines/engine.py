"""The worker: one thread, the only one that touches weights. It takes jobs from the book and runs them to their end."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Collection, Generator
from contextlib import AbstractContextManager, closing
from dataclasses import replace
from queue import SimpleQueue
from typing import Any, Protocol

from models.errors import UserError
from models.manager import LedgerLine
from models.memory import Machine
from pipelines.events import Event, Picture
from pipelines.jobs import DONE, FAILED, STOPPED, Job, JobBook, PictureRecord
from pipelines.live import Bell, Live, Versions
from pipelines.outputs import Outputs
from pipelines.request import Request

log = logging.getLogger(__name__)

BROKEN = "Something broke inside Atelier while drawing this. The details are in the log; the next job is not affected."
Batch = Generator[Event | None]


class Painter(Protocol):
    """Turns requests into pictures. Every call comes from the worker's thread; the properties may be read from any."""

    @property
    def machine(self) -> Machine: ...

    @property
    def ledger(self) -> tuple[LedgerLine, ...]:
        """What is in memory."""
        ...

    def unload(self, line_id: str) -> None: ...

    def at_hand(self) -> Collection[str]:
        """Ids of the checkpoints that can draw at once, without being moved or loaded."""
        ...

    def annotator(self, key: str) -> AbstractContextManager[Any]:
        """The network of a preprocessor, by its key, for the length of the block."""
        ...

    def batches(self, request: Request) -> Generator[Batch]:
        """One iterator of events a batch. None is a place to stop at without news. Closing a batch abandons it."""
        ...


class Engine:
    def __init__(self, book: JobBook, outputs: Outputs, open_painter: Callable[[], Painter]) -> None:
        """`open_painter` is called in the worker's thread: it imports the libraries and loads the default model, which takes seconds."""
        self.book = book
        self.outputs = outputs
        self.versions = Versions(book.first_version)
        self.queue_version = self.versions.next()
        self.bell = Bell()  # rings at every step and whenever the queue moves
        self.state = ("starting", "The studio is warming up. You can type, and even generate; the job starts by itself.")
        self._open_painter = open_painter
        self.painter: Painter | None = None  # there once it has opened
        self._errands: SimpleQueue[Callable[[Painter], None]] = SimpleQueue()
        self._live: dict[str, Live] = {}
        self._wake = threading.Semaphore(0)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="worker", daemon=True)

    def start(self) -> None:
        interrupted = self.book.recover()
        if interrupted:
            log.info("%d job(s) were running when the server last went away; marked as interrupted", interrupted)
        self._thread.start()

    def close(self, timeout: float = 10) -> None:
        """Stops the running job within a step and ends the thread. What waits keeps its place for the next start."""
        self._closing.set()
        self._wake.release()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def submit(self, request: Request, user: str, owner: bool = False) -> str:
        job_id = self.book.submit(request, user, owner)
        self._wake.release()
        return job_id

    def live(self, job_id: str) -> Live | None:
        return self._live.get(job_id)

    def stop(self, job_id: str) -> None:
        """Acts within one step on a running job, at once on a waiting one, not at all on one that has ended."""
        live = self._live.get(job_id)
        if live:
            live.stop = True
        elif self.book.withdraw(job_id):
            self._queue_moved()

    def skip(self, job_id: str) -> None:
        """Goes on to the next batch of a running job."""
        live = self._live.get(job_id)
        if live:
            live.skip = True

    def between_jobs(self, errand: Callable[[Painter], None]) -> None:
        """Runs the errand in the worker's thread: now if it is idle, else when the job that runs has ended."""
        self._errands.put(errand)
        self._wake.release()

    def _work(self) -> None:
        painter = self._open()
        while painter and not self._closing.is_set():
            if not self.run_next(painter):
                self._wake.acquire()

    def run_next(self, painter: Painter) -> bool:
        """Runs errands and one waiting job to its end, in the thread that calls. False when nobody waits."""
        self._run_errands(painter)
        job = self._claim(painter)
        if job:
            self._run(job, painter)
        return job is not None

    def _open(self) -> Painter | None:
        try:
            painter = self._open_painter()
        except Exception as error:
            log.exception("the studio could not start")
            sentence = str(error) if isinstance(error, UserError) else "The studio could not start; the details are in the log."
            self.state = ("failed", sentence)
            self._queue_moved()
            return None
        self.painter = painter
        self.state = ("ready", "Ready.")
        self._queue_moved()
        return painter

    def _run_errands(self, painter: Painter) -> None:
        while not self._errands.empty():
            try:
                self._errands.get_nowait()(painter)
            except Exception:
                log.exception("an errand between jobs failed")
            self._queue_moved()

    def _claim(self, painter: Painter) -> Job | None:
        job = self.book.claim(painter.at_hand())
        if job:
            self._live[job.id] = Live(job, self.versions.next())
            self._queue_moved()
        return job

    def _run(self, job: Job, painter: Painter) -> None:
        live = self._live[job.id]
        state, message = self._outcome(job, live, painter)
        if not self._closing.is_set() or state != STOPPED:
            self.book.end(job.id, state, message)
        del self._live[job.id]
        self._queue_moved()

    def _outcome(self, job: Job, live: Live, painter: Painter) -> tuple[str, str]:
        try:
            self.outputs.check_space()
            stopped = self._draw(job, live, painter)
        except UserError as error:
            return FAILED, str(error)
        except Exception:
            log.exception("job %s failed", job.id)
            return FAILED, BROKEN
        return (STOPPED, "") if stopped else (DONE, "")

    def _draw(self, job: Job, live: Live, painter: Painter) -> bool:
        """Runs every batch of the job. True when it was stopped before its end."""
        request = settled(job.request)
        self.book.settle(job.id, request)
        with closing(painter.batches(request)) as batches:
            for batch in batches:
                self._follow(job, live, batch)
                if live.stop or self._closing.is_set():
                    return len(live.pictures) < request.picture_count
        return False

    def _follow(self, job: Job, live: Live, batch: Batch) -> None:
        """One batch, to its end or to where it is stopped or skipped."""
        with closing(batch) as events:
            for event in events:
                if event is not None:
                    self._tell(job, live, event)
                if live.stop or live.skip or self._closing.is_set():
                    break
        live.skip = False

    def _tell(self, job: Job, live: Live, event: Event) -> None:
        live.advance(self._kept(job, event) if isinstance(event, Picture) else event, self.versions.next())
        self.bell.ring()

    def _kept(self, job: Job, picture: Picture) -> PictureRecord:
        """The picture is on the disk and in the book before anyone is told of it."""
        path = self.outputs.save(picture.image, picture.request, picture.made_with)
        return self.book.add_picture(job, path, picture.request, picture.image.size)

    def _queue_moved(self) -> None:
        self.queue_version = self.versions.next()
        self.bell.ring()


def settled(request: Request) -> Request:
    """The request with its seeds chosen: A1111's range, so that a seed can be typed into other tools."""
    dice = random.SystemRandom()
    seed = dice.randrange(2**32) if request.seed == -1 else request.seed
    varies = request.variation_strength > 0 and request.variation_seed == -1
    return replace(request, seed=seed, variation_seed=dice.randrange(2**32) if varies else request.variation_seed)
