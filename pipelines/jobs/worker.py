"""The worker: takes jobs from the book and runs them to their end, by a hand for each device (`hand.py`). All others see this alone."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TypeVar

from pipelines.job_book.book import NOTHING, Job, JobBook
from pipelines.job_book.following import Carried
from pipelines.job_book.placing import Place
from pipelines.job_book.room import EVERY, Allowance
from pipelines.jobs.errands import Errands
from pipelines.jobs.hand import NO_QUEUE, READY, STARTING, Hand
from pipelines.jobs.hands import Losses, Shared
from pipelines.jobs.job_run import BROKEN, Followers, settled
from pipelines.jobs.keeping import StepKeeper
from pipelines.jobs.onlooker import Onlookers, nobody
from pipelines.jobs.outputs import Outputs
from pipelines.jobs.progress import Bell, JobProgress, Versions
from pipelines.jobs.runner import Runner
from pipelines.requests.request import Request
from pipelines.steps.store import KeptSteps

log = logging.getLogger(__name__)

STATES = ("troubled", "ready", "starting", "failed")  # of several hands the first one that is so speaks for all

__all__ = ["BROKEN", "NO_QUEUE", "READY", "STARTING", "Worker", "settled"]
Answer = TypeVar("Answer")
Openers = Sequence[Callable[[], Runner]]


def alone() -> Openers:
    """There is no further device."""
    return ()


class Worker:
    def __init__(
        self,
        book: JobBook,
        outputs: Outputs,
        open_runner: Callable[[], Runner],
        followers: Followers | None = None,
        steps: KeptSteps | None = None,
        onlooker: Onlookers = nobody,
        further: Callable[[], Openers] = alone,
    ) -> None:
        """`open_runner` is called in the thread of the first hand: it imports the libraries and loads the default model, which takes
        seconds. `further`: what opens the other devices, asked in that thread when the first one is there, as nobody knows them before.

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
        self._live: dict[str, JobProgress] = {}
        self._further: Callable[[], Openers] = further
        self._claiming, self._recovering, self._joining = threading.Lock(), threading.Lock(), threading.Lock()
        self._recovered = self._joined = False
        self._closing = threading.Event()
        self._shared = Shared(
            book, outputs, self.steps, self.errands, self.versions, self.bell, followers or Followers(), onlooker, self._closing,
            self._claiming, self._live, self.changed, self._recover, Losses(), self._opened, self._beside,
            self._is_helped,
        )  # fmt: skip
        self.hands: tuple[Hand, ...] = (Hand(0, open_runner, self._shared),)

    def start(self) -> None:
        try:
            self._recover()
        except Exception:
            log.exception("the jobs that were running could not be looked through yet; the worker tries again")
        self.hands[0].thread.start()

    def close(self, timeout: float = 10) -> None:
        """Stops the running jobs within a step and ends the threads. What waits keeps its place for the next start."""
        with self._joining:
            self._closing.set()
        for hand in self.hands:
            hand.come_to_a_stop()
        for hand in self.hands:
            if hand.thread.is_alive():
                hand.thread.join(timeout)
        self.steps.close()
        for trouble in filter(None, (hand.saving.trouble for hand in self.hands)):
            log.error("The studio closes with something unwritten: %s", trouble)

    # ------------------------------------------------------------------------------------------ what is told

    @property
    def state(self) -> tuple[str, str]:
        """One of `STATES` and a sentence: of the first hand that is so."""
        return min((hand.state for hand in self.hands), key=lambda state: STATES.index(state[0]))

    @property
    def runner(self) -> Runner | None:
        """The one with the most memory; None before one has opened."""
        there = [hand.runner for hand in self.hands if hand.runner and not hand.runner.lost]
        return max(there, key=lambda runner: (runner.machine.device or 0, runner.machine.host), default=None)

    @property
    def devices(self) -> int:
        """How many draw side by side."""
        return max(1, sum(hand.draws for hand in self.hands))

    @property
    def rests(self) -> bool:
        """Nothing is drawn until a device that is paused goes on, or another one comes."""
        return not any(hand.draws for hand in self.hands) and any(hand.paused and hand.runner for hand in self.hands)

    def live(self, job_id: str) -> JobProgress | None:
        return self._live.get(job_id)

    def known(self, job: Job) -> Job:
        """The job as it stands, also where the book could not be told yet that it has ended."""
        for hand in self.hands:
            if found := hand.saving.ended.get(job.id):
                return replace(job, state=found[0], message=found[1])
        return job

    def is_hindered(self, job_id: str) -> bool:
        """Whether finished pictures of this job could not be written."""
        return any(hand.saving.is_hindered(job_id) for hand in self.hands)

    def lives(self) -> tuple[JobProgress, ...]:
        """All that run, of everybody."""
        return tuple(self._live.values())

    def live_of(self, user: str) -> JobProgress | None:
        """The running job of this person; of several the one that was begun first."""
        return next((live for live in tuple(self._live.values()) if live.job.user == user), None)

    # ------------------------------------------------------------------------------------------ what is asked

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
        """What waits or runs is another: the hands look anew, and all who watch are told."""
        self.queue_version = self.versions.next()
        self.bell.ring()
        for hand in self.hands:
            hand.wake()

    def stop(self, job_id: str) -> bool:
        """Acts within one step on a running job, at once on a waiting one, not at all on one that has ended: then it returns False."""
        with self._claiming:
            live = self._live.get(job_id)
            withdrawn = not live and self.book.withdraw(job_id)
            if live:
                live.stop = True
        if live:
            for hand in self.hands:
                if hand.live is live:
                    hand.come_to_a_stop()
        elif withdrawn:
            self.changed()
        return live is not None or withdrawn

    def skip(self, job_id: str) -> None:
        """Goes on to the next batch of a running job."""
        live = self._live.get(job_id)
        if live:
            live.skip = True

    def welcome(self, open_runner: Callable[[], Runner], machine: str = "") -> Callable[[], None]:
        """A further device, from now on. `machine`: the computer where it is, if that is another. Answers what tries at once to open it
        again.
        """
        with self._joining:
            hand = Hand(len(self.hands), open_runner, self._shared, machine)
            if not self._closing.is_set():
                self.hands = (*self.hands, hand)
                hand.thread.start()
        self.changed()
        return hand.open_again

    def pause(self, number: int, pauses: bool) -> None:
        """A device draws the batch in work to its end, and then nothing until it goes on. Nothing for a number that there is not."""
        with self._claiming:  # whoever was about to take a job up has it already, or does not get it
            for hand in self.hands:
                if hand.number == number:
                    hand.paused = pauses
        self.changed()

    def between_jobs(self, person: str, work: Callable[[Runner], Answer], device: int | None = None) -> Future[Answer]:
        """Does the work in the thread of a hand: now if one is idle, else when a job that runs has ended. See `Errands`.

        `device`: the number of the hand that is to do it; without it, any does.
        """
        own = next((hand for hand in self.hands if hand.number == device), None)
        future = (own.errands if own else self.errands).put(person, work)
        for hand in self.hands:
            hand.wake()
        return future

    def run_next(self, runner: Runner) -> bool:
        """See `Hand.run_next`; by the first hand."""
        return self.hands[0].run_next(runner)

    # ------------------------------------------------------------------------------------------ what the hands ask

    def _opened(self, hand: Hand) -> None:
        """A hand has opened its device, could not, or has lost it. The first one has the others begin."""
        helping = [each for each in self.hands if not (each.runner and each.runner.is_apart)]
        wrong = [each.state[1] for each in helping if each.state[0] == "failed"]
        self.errands.refuse(wrong[0] if len(wrong) == len(helping) else "")
        hand.errands.refuse(hand.state[1] if hand.state[0] == "failed" else "")
        if hand.runner and not self._joined:
            self._join()

    def _join(self) -> None:
        """The further devices."""
        self._joined = True
        for opener in self._further():
            self.welcome(opener)

    def _beside(self, hand: Hand) -> Sequence[Place]:
        hands = self.hands
        return [each.place() for each in hands if each is not hand and each.draws] if len(hands) > 1 else ()

    def _is_helped(self, hand: Hand) -> bool:
        return any(each.draws and each.runner and not each.runner.is_apart for each in self.hands if each is not hand)

    def _recover(self) -> None:
        with self._recovering:
            if self._recovered:
                return
            interrupted = self.book.recover(self.steps.kept.came_on)
            self._recovered = True
            self.steps.kept.sweep(self.book.may_go_on)
        if interrupted:
            log.info("%d job(s) were running when the server last went away; marked as interrupted", interrupted)
