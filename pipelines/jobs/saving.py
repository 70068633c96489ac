"""Saving what a job leaves behind: pictures on the disk, entries in the book. What cannot be written now waits in memory and is
written, in its order, when it can be. So a disk that is full for a while, or a book that another program holds, costs no picture.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable, Collection
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.errors import UserError
from pipelines.images.store import content_ids
from pipelines.job_book.book import FAILED, RUNNING, BookError, Job, JobBook, PictureRecord
from pipelines.job_book.following import Following
from pipelines.job_book.lineage import begun_with
from pipelines.jobs.events import Picture
from pipelines.jobs.outputs import Files, NotSaved, Outputs
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Request, seed_of

if TYPE_CHECKING:
    from pathlib import Path

    from PIL.Image import Image

    from pipelines.steps.state import Numbers

log = logging.getLogger(__name__)

MOST_BYTES = 512_000_000  # of pixels that may wait for room: 160 pictures of 1024 x 1024
PASSING = (NotSaved, BookError, sqlite3.Error, OSError, MemoryError)  # what may go well later; anything else is a mistake of ours
BOOK = "The studio's list of jobs cannot be written; the details are in the log."
WRITING = "Its clip is being written."
MEMORY = "There is too little memory to save what is finished. Close other programs."
LOST = "Finished pictures of this job could not be saved, and are lost. Draw them again with the same seed."


class TooMany(UserError):
    """More finished pictures wait than the memory should hold."""


@dataclass
class _Unsaved:
    """A finished picture on its way to the disk and into the book."""

    job: Job
    request: Request
    made_with: dict[str, str]
    image: Image | None  # None once it is on the disk
    size: tuple[int, int]
    told: Callable[[PictureRecord], None]
    progress: Progress | None = None  # where its job stands with it
    then: Following | None = None  # what goes on from it
    path: Path | None = None
    contents: Collection[str] = ()  # ids of the input pictures that it would be
    frames: tuple[Image, ...] = ()  # of one that moves
    latents: Numbers | None = None  # of these
    encoding: Future[Files] | None = None  # of these, in a thread of its own
    files: Files | None = None  # what came of that

    @property
    def bytes(self) -> int:
        return len(self.image.getbands()) * self.size[0] * self.size[1] * max(1, len(self.frames)) if self.image else 0

    @property
    def is_ready(self) -> bool:
        """It can be written now, as far as nothing is wrong with the disk."""
        return self.encoding is None or self.encoding.done()

    def write(self, book: JobBook, outputs: Outputs) -> None:
        if self.path is None:
            assert self.image
            self.contents = content_ids(self.image)
            self.path = self._saved(book, outputs)
            self.image, self.frames, self.latents, self.files = None, (), None, None
        model = self.made_with.get("Model", "")
        self.told(book.add_picture(self.job, self.path, self.request, self.size, model, self.progress, self.then, self.contents))

    def _saved(self, book: JobBook, outputs: Outputs) -> Path:
        assert self.image
        if not self.frames:
            return outputs.save(self.image, self.request, self.told_of(book))
        if self.files is None:
            encoding, self.encoding = self.encoding, None  # what went wrong in its thread is tried once more here
            self.files = encoding.result() if encoding else outputs.encoded(self.frames, self.request, self.told_of(book), self.latents)
        return outputs.put(self.files, self.request)

    def told_of(self, book: JobBook) -> dict[str, str]:
        """What it was made with, and whose settings it was begun with."""
        return {**self.made_with, **begun_with(book.file, self.job.origin)}


@dataclass
class _Settled:
    job: Job
    request: Request

    def write(self, book: JobBook, outputs: Outputs) -> None:
        book.settle(self.job.id, self.request)


@dataclass
class _Ended:
    job: Job
    state: str
    message: str
    then: Following | None = None  # what goes on from it

    def write(self, book: JobBook, outputs: Outputs) -> None:
        book.end(self.job.id, self.state, self.message, self.then)


Entry = _Unsaved | _Settled | _Ended


class Saving:
    """Of one device, for its thread; `waits`, `is_hindered`, and what is no method, from any."""

    def __init__(
        self, book: JobBook, outputs: Outputs, ready: Callable[[], object] = lambda: None, over: Callable[[], object] = lambda: None
    ) -> None:
        """`ready`: called from any thread when something can be written that could not before. `over`: a job has ended only now."""
        self._book, self._outputs, self._ready, self._over = book, outputs, ready, over
        self._encoder: Executor | None = None
        self._waiting: list[Entry] = []
        self._cause = ""
        self.trouble = ""  # why something waits, for people; "" when nothing does
        self.ended: dict[str, tuple[str, str]] = {}  # job -> state and message of an end that the book does not know yet

    def settle(self, job: Job, request: Request) -> None:
        self._keep(_Settled(job, request))

    def keep(
        self,
        job: Job,
        picture: Picture,
        told: Callable[[PictureRecord], None],
        progress: Progress | None = None,
        then: Following | None = None,
    ) -> None:
        """`told` hears of the picture once it is on the disk and in the book. `progress`: where the job stands with it. `then`: what
        goes on from it, queued when it is entered.

        Raises `TooMany` when with this one too much waits; whatever else is raised is a mistake of ours, and the picture is not kept.
        """
        unsaved = _Unsaved(job, picture.request, picture.made_with, picture.image, picture.image.size, told, progress, then)
        if picture.frames:
            self._encode(unsaved, picture.frames, picture.latents)
        self._keep(unsaved)
        if sum(entry.bytes for entry in self._pictures()) > MOST_BYTES:
            raise TooMany(f"{self.trouble} The memory holds no more, so this job ends here.")

    def end(self, job: Job, state: str, message: str, then: Following | None = None) -> None:
        """A job with pictures that wait is shown as failed, with the reason, until they are written; one whose clip is being written, as
        running. `then`: what goes on from it.
        """
        written = (RUNNING, WRITING) if self._is_held(job.id) else (state, message)
        self.ended[job.id] = (FAILED, self.trouble) if self.is_hindered(job.id) else written
        entry = _Ended(job, state, message, then)
        try:
            self._keep(entry)
        except Exception:
            log.exception("the end of job %s could not be written", job.id)
            self._wait(entry, BOOK)

    def waits(self, job_id: str) -> bool:
        """Whether finished pictures of this job are not written yet."""
        return any(entry.job.id == job_id for entry in self._pictures())

    def is_hindered(self, job_id: str) -> bool:
        """Whether some of them could not be."""
        return any(entry.job.id == job_id for entry in self._pictures()) and not self._is_held(job_id)

    def _is_held(self, job_id: str) -> bool:
        """A clip of this job is still made into a file, and what comes after it in the job waits for that alone."""
        return any(entry.job.id == job_id and not entry.is_ready for entry in self._pictures())

    def look(self) -> None:
        """Writes what has become ready while something else is done: costs nothing where nothing waits."""
        if self._waiting:
            self.write()

    def write(self) -> bool:
        """Tries everything that waits, in its order. False when something still waits for the disk or the book; `trouble` then says why."""
        try:
            for entry in tuple(self._waiting):
                if not self._is_held(entry.job.id):
                    self._again(entry)
        except PASSING as error:  # of the disk or the book: it would be the same for all the others
            self._say(_why(error))
        done = all(self._is_held(entry.job.id) for entry in self._waiting)
        if done:
            self.trouble = ""
        return done

    def give_up(self) -> None:
        """The studio closes: everything is tried once more, and what is lost is named in the log."""
        wait([entry.encoding for entry in self._pictures() if entry.encoding])
        written = self.write()
        if self._encoder:
            self._encoder.shutdown()
        if written:
            return
        for entry in self._pictures():
            if entry.image:
                self._lose(entry)
        self.write()

    def _encode(self, entry: _Unsaved, frames: tuple[Image, ...], latents: Numbers | None) -> None:
        """A clip is made into a file in a thread of its own, while the next job runs."""
        self._encoder = self._encoder or ThreadPoolExecutor(1, "clips")
        entry.frames, entry.latents = frames, latents
        entry.encoding = self._encoder.submit(self._outputs.encoded, frames, entry.request, entry.told_of(self._book), latents)
        entry.encoding.add_done_callback(lambda _: self._ready())

    def _keep(self, entry: Entry) -> None:
        if self._is_held(entry.job.id) or (isinstance(entry, _Unsaved) and not entry.is_ready):
            self._waiting.append(entry)
            return
        if self._waiting and not self.write():
            self._wait(entry)
            return
        try:
            self._write(entry)
        except PASSING as error:
            self._wait(entry, _why(error))

    def _wait(self, entry: Entry, why: str = "") -> None:
        self._waiting.append(entry)
        self._say(why or self._cause)

    def _again(self, entry: Entry) -> None:
        try:
            self._write(entry)
        except PASSING:
            raise
        except Exception:
            log.exception("what waited could not be written")
            if isinstance(entry, _Ended):
                self._say(BOOK)
                return
            if isinstance(entry, _Unsaved):
                self._lose(entry)
                return
        self._waiting.remove(entry)

    def _write(self, entry: Entry) -> None:
        entry.write(self._book, self._outputs)
        if isinstance(entry, _Ended) and self.ended.pop(entry.job.id, None) == (RUNNING, WRITING):
            self._over()

    def _lose(self, lost: _Unsaved) -> None:
        log.error("LOST, as it could not be saved: a picture of job %s with seed %d", lost.job.id, seed_of(lost.request))
        self._waiting.remove(lost)
        for entry in self._waiting:
            if isinstance(entry, _Ended) and entry.job.id == lost.job.id:
                entry.state, entry.message = self.ended[lost.job.id] = FAILED, LOST

    def _pictures(self) -> list[_Unsaved]:
        return [entry for entry in self._waiting if isinstance(entry, _Unsaved)]

    def _say(self, cause: str) -> None:
        self._cause, count = cause, sum(entry.is_ready for entry in self._pictures())
        who = "One finished picture waits" if count == 1 else f"{count} finished pictures wait"
        self.trouble = f"{cause} {who} in memory until that is done, and will then be saved." if count else cause


def _why(error: Exception) -> str:
    if isinstance(error, UserError):
        return str(error)
    log.error("what is finished could not be written: %s", error)
    return MEMORY if isinstance(error, MemoryError) else BOOK
