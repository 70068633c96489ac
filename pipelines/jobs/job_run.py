"""A run of a job: from where it stands, batch by batch, to its end or to where it gives way to somebody else."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial

from models.errors import UserError
from pipelines.job_book.book import DONE, FAILED, STOPPED, WAITING, BookError, Job, JobBook, PictureRecord
from pipelines.job_book.following import Following
from pipelines.jobs.events import Event, Picture, Step
from pipelines.jobs.keeping import StepKeeper
from pipelines.jobs.onlooker import Onlooker, Onlookers
from pipelines.jobs.outputs import Outputs
from pipelines.jobs.progress import JobProgress
from pipelines.jobs.runner import Events, Runner
from pipelines.jobs.saving import Saving
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Drawing, Kind, Request, Wordless
from pipelines.steps.store import person_of

log = logging.getLogger(__name__)

BROKEN = "Something broke inside Atelier while drawing this. The details are in the log; the next job is not affected."

REPLACED = "A model's file was replaced after this had been begun, so the picture in work was drawn from its beginning, by the new one."


class LeftAsItWas(UserError):
    """There is nothing to draw, and that is no failure. `then`: what goes on from the picture that it was to begin with."""

    def __init__(self, sentence: str, then: Following | None = None) -> None:
        super().__init__(sentence)
        self.then = then


class StoodBack(Exception):
    """The device is paused while what the job needs goes there. Nothing of the batch is drawn."""


class Followers:
    """What belongs to a job beside drawing it: asked in the worker's thread. This one has nothing to say."""

    def begun(self, job: Job) -> Request:
        """What the job asks for, with what is found only now. Raises `UserError`, `LeftAsItWas` where there is nothing to draw."""
        return job.request

    def after(self, job: Job, picture: Picture) -> Following | None:
        """What goes on from a picture; it is queued behind the picture's job. Raises `UserError` where that cannot be."""
        return None

    def over(self, job: Job) -> None:
        """The job runs no more: it has ended, or waits again. Raises nothing."""

    def kept(self, record: PictureRecord, runner: Runner) -> None:
        """A picture is on the disk and in the book, and nobody is told of it yet. `runner`: the one that drew it. Raises nothing."""

    def entered(self, job: Job, record: PictureRecord) -> None:
        """A picture is on the disk, in the book, and told."""


@dataclass(frozen=True)
class Surroundings:
    """What a run needs of the worker."""

    book: JobBook
    outputs: Outputs
    saving: Saving
    steps: StepKeeper
    is_closing: Callable[[], bool]
    goes_on: Callable[[JobProgress], bool]  # asked between two batches; if not, the job waits again already
    told: Callable[[JobProgress, Step | PictureRecord], None]
    say: Callable[[str], None]  # what is wrong with saving, or ""
    followers: Followers
    onlooker: Onlookers
    lost: Callable[[JobProgress], tuple[str, str]]  # what becomes of the job whose device is: its state, and a message
    stands_back: Callable[[JobProgress], bool]  # asked where nothing is told: whether what the job needs goes to a device that is paused
    stood_back: Callable[[JobProgress], tuple[str, str]]  # what becomes of it then, as for `lost`
    device: Callable[[], str]  # the name of the one that draws, where there are several; else ""


class JobRun:
    def __init__(self, live: JobProgress, runner: Runner, around: Surroundings) -> None:
        self._live, self._job, self._runner, self._around = live, live.job, runner, around
        self._onlooker, self._message = Onlooker(), ""
        self.then: Following | None = None  # what goes on from it once it has ended

    def outcome(self) -> tuple[str, str]:
        """State and message in which it comes out: an end, or `WAITING` when it has given way."""
        try:
            self._around.outputs.check_space()
            return self._draw(), self._message
        except LeftAsItWas as nothing:
            self.then = nothing.then
            return DONE, str(nothing)
        except StoodBack:
            return self._around.stood_back(self._live)
        except UserError as error:
            return self._around.lost(self._live) if self._runner.lost else (FAILED, str(error))
        except Exception:
            if self._runner.lost:
                log.warning("job %s has lost its device: %s", self._job.id, self._runner.lost, exc_info=not self._runner.is_apart)
                return self._around.lost(self._live)
            log.exception("job %s failed", self._job.id)
            return FAILED, BROKEN

    def _draw(self) -> str:
        """Runs every batch that is left, as long as the job goes on."""
        request, live = settled(self._around.followers.begun(self._job)), self._live
        self._around.saving.settle(self._job, request)
        if self._around.steps.begin(self._job.id, request, self._runner.files(request), person_of(self._job.user, self._job.owner)):
            self._message = REPLACED
        self._onlooker = self._around.onlooker(self._job, request)
        with closing(self._onlooker), closing(self._runner.batches(request, live.progress, self._onlooker.watching)) as batches:
            for number, batch in enumerate(batches, live.first):
                self._timed(number, batch)
                if self._is_over():
                    return STOPPED if live.drawn < request.picture_count else DONE
                if number + 1 < request.batch_total and not self._goes_on():
                    return STOPPED if self._is_over() else WAITING
        return DONE

    def _goes_on(self) -> bool:
        """A job whose pictures wait to be saved keeps its place, so that they are written before anything else is known of it."""
        if self._around.saving.waits(self._job.id):
            return True
        try:
            return self._around.goes_on(self._live)
        except BookError:
            return True

    def _timed(self, number: int, batch: Events) -> None:
        """One batch, with the seconds it took in the book."""
        self._live.has_read = self._live.has_loaded = self._live.has_sent = False
        begin = time.monotonic()
        before = replace(self._live.progress, stored=dict(self._live.progress.stored))
        try:
            self._follow(batch)
            if not self._is_over():
                self._live.progress.batch = number + 1
        finally:
            self._account(time.monotonic() - begin, before)

    def _account(self, seconds: float, before: Progress) -> None:
        """A batch that was given up says nothing of the pace, nor does one for which models were read. One whose pictures are not written
        yet is not done for the book, which would have to do without them after a kill.
        """
        progress = before if self._around.saving.waits(self._job.id) else self._live.progress
        try:
            live, whole = self._live, not self._is_over()
            is_usual, loaded = self._teaches(), whole and live.has_loaded and not live.has_sent
            self._around.book.queue.used(self._job.id, progress, seconds, is_usual, self._around.device(), loaded)
        except BookError as error:
            log.warning("how far job %s has come could not be written: %s", self._job.id, error)

    def _teaches(self) -> bool:
        """A batch that was given up says nothing of the pace, nor does one for which models were read, or of which something was known."""
        return not (self._live.has_read or self._live.progress.spared or self._is_over())

    def _follow(self, batch: Events) -> None:
        """One batch, to its end or to where it is stopped or skipped."""
        with closing(batch) as events:
            for event in events:
                self._around.saving.look()
                self._onlooker.heard(event)
                if event is not None:
                    self._tell(event)
                if self._live.skip or self._is_over():
                    break
                if event is None and self._around.stands_back(self._live):
                    raise StoodBack
        self._live.skip = False

    def _tell(self, event: Event) -> None:
        live = self._live
        if isinstance(event, Step):
            self._around.told(live, event)
            if event.state:
                live.has_read = live.has_read or bool(event.before)  # steps of another picture are no measure of this one's pace
                self._around.steps.step(self._job.id, event.state)
            return
        live.drawn += 1
        live.progress.pictures = event.index + 1
        progress = replace(live.progress, stored=dict(live.progress.stored))
        then, trouble = self._next(event)
        entered = partial(self._entered, event.index, event.made_with)  # and not the event, which holds the picture
        self._around.saving.keep(self._job, event, entered, progress, then)
        self._around.say(self._around.saving.trouble)
        if trouble:
            raise trouble

    def _entered(self, index: int, made_with: Mapping[str, str], record: PictureRecord) -> None:
        """The picture is on the disk and in the book before anyone is told of it."""
        self._around.steps.picture(self._job.id, index, record.path.name, record.request, made_with)
        self._around.followers.kept(record, self._runner)
        self._around.told(self._live, record)
        self._around.followers.entered(self._job, record)

    def _next(self, picture: Picture) -> tuple[Following | None, UserError | None]:
        """What goes on from a picture, or why that cannot be: the picture is kept before that is told."""
        try:
            return self._around.followers.after(self._job, picture), None
        except UserError as error:
            return None, UserError(f"This picture is kept, but what was to go on from it cannot be queued. {error}")

    def _is_over(self) -> bool:
        return self._live.stop or self._around.is_closing()


def settled(request: Kind) -> Kind:
    """The request with its seeds chosen, if it has some: A1111's range, so that a seed can be typed into other tools."""
    if not isinstance(request, Drawing | Wordless):
        return request
    dice = random.SystemRandom()
    seed = dice.randrange(2**32) if request.seed == -1 else request.seed
    if isinstance(request, Wordless):
        return replace(request, seed=seed)
    varies = request.variation_strength > 0 and request.variation_seed == -1
    return replace(request, seed=seed, variation_seed=dice.randrange(2**32) if varies else request.variation_seed)
