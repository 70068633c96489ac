"""Keeping steps while jobs run: in a thread of its own, so that nobody who draws waits for a disk. What cannot be kept costs no picture."""

from __future__ import annotations

import hashlib
import json
import logging
import queue
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from pipelines.jobs.line import Lost
from pipelines.requests.request import Drawing, Request, Wordless, describe
from pipelines.steps.content import content_of
from pipelines.steps.store import FILES, KeptSteps, Rated

if TYPE_CHECKING:
    from pipelines.steps.state import StepState

log = logging.getLogger(__name__)

MOST = 64  # steps that may wait for the disk; those beyond are not kept
PATIENCE = 5.0  # seconds that the end of the studio, or the begin of a job, waits for what is to be written

Work = Callable[[], object]


class StepKeeper:
    """For the threads of the worker. The calls of one job are carried out in their order."""

    def __init__(self, kept: KeptSteps, rated: Rated = tuple) -> None:
        """`rated`: the names of the pictures' files that somebody rated; asked when room has to be made."""
        self.kept, self._rated = kept, rated
        self._work: queue.Queue[Work | None] = queue.Queue(MOST)
        self._thread: threading.Thread | None = None
        self._begins = threading.Lock()
        self._orders: dict[str, str] = {}  # of jobs that run
        self._persons: dict[str, str] = {}  # whose they are
        self._sizes: dict[str, int] = {}  # bytes that their pictures in work take
        self._said = False

    def begin(self, job: str, request: Request, files: str = "", person: str = "") -> bool:
        """A try at the job begins; returns once what an earlier one has left is settled: whether that is not gone on from because other
        files draw now. `files`: what those that draw look like. `person`: whose the steps are, see `person_of`.
        """
        if not (self.kept.budget and isinstance(request, Drawing | Wordless)):
            return False
        self._orders[job] = order = order_of(request, files)
        self._persons[job] = person
        done, by_others = threading.Event(), list[bool]()
        self._put(lambda: by_others.append(self.kept.begin(job, order)))
        self._put(done.set)
        done.wait(PATIENCE)
        return any(by_others)

    def step(self, job: str, state: Callable[[], StepState]) -> None:
        """`state`: asked later, in another thread."""
        order = self._orders.get(job)
        if order is not None:
            self._put(lambda: self._add(job, order, state()))

    def picture(self, job: str, index: int, name: str, request: Request, made_with: Mapping[str, str]) -> None:
        """A picture is saved as a file of this name. What is drawn without words is not drawn on from its steps, so they go."""
        if isinstance(request, Wordless):
            self._put(lambda: self.kept.drop(job))
            return
        if job in self._orders and isinstance(request, Drawing):
            person = self._persons.get(job, "")
            self._put(
                lambda: self._finish(job, index, name, content_of(request, made_with), person)
            )  # the hashes may have to be waited for

    def end(self, job: str, goes_on: bool) -> None:
        """The job runs no more. `goes_on`: it may from where it stands."""
        kept = self._orders.pop(job, None) is not None
        self._sizes.pop(job, None)
        self._persons.pop(job, None)
        if kept and not goes_on:
            self._put(lambda: self.kept.drop(job))

    def close(self) -> None:
        """Waits for what is to be written, and ends the thread."""
        if self._thread and self._thread.is_alive():
            self._put(None)
            self._thread.join(PATIENCE)

    def _add(self, job: str, order: str, state: StepState) -> None:
        """What would take more than all that may be kept is not kept at all."""
        self._sizes[job] = self._sizes.get(job, 0) + self.kept.add(job, order, state)
        if self._sizes[job] > self.kept.budget:
            self._orders.pop(job, None)
            self.kept.drop(job)

    def _finish(self, job: str, index: int, name: str, content: str, person: str) -> None:
        self._sizes.pop(job, None)  # a batch is as good as done
        self.kept.finish(job, index, name, content, person)
        self.kept.make_room(self._rated)

    def _put(self, work: Work | None) -> None:
        with self._begins:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="steps", daemon=True)
                self._thread.start()
        try:
            self._work.put_nowait(work)
        except queue.Full:
            self._say("the disk is too slow for the steps of this job; some of them are not kept")

    def _run(self) -> None:
        while (work := self._work.get()) is not None:
            try:
                work()
            except OSError as error:
                self._say(f"steps cannot be kept now: {error}")
            except Lost as lost:  # the job goes on from what is kept
                log.info("a step is not kept: %s", lost)
            except Exception:
                log.exception("steps could not be kept")

    def _say(self, what: str) -> None:
        """Once: it would be the same at every step."""
        if not self._said:
            log.warning(what)
        self._said = True


def order_of(request: Request, files: str = "") -> str:
    """A digest of what is asked for, and one of what the files that draw it look like."""
    return FILES.join(_digest(text) for text in (json.dumps(describe(request), sort_keys=True), files))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
