"""Inside: looks into finished pictures. What needs weights is an errand of the worker's, told as it comes along, and can be stopped."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, field, replace
from importlib import import_module
from typing import TYPE_CHECKING, cast

from models.errors import UserError
from models.families import FAMILIES
from models.library.catalog import Catalog
from models.memory.forecast import is_out_of_memory
from pipelines.images.store import Inputs
from pipelines.inside.again import Record, record_of
from pipelines.inside.answers import InsideLook, InsidePicture
from pipelines.inside.desk import Desk, Found
from pipelines.job_book.book import PictureRecord
from pipelines.jobs.errands import NO_MEMORY
from pipelines.jobs.worker import Worker
from pipelines.requests.request import Drawing, Request, Upscale
from pipelines.requests.steps import steps_of
from pipelines.services.token_view import TokenViews

if TYPE_CHECKING:
    from pipelines.inside.desk import Looking
    from pipelines.jobs.runner import Runner

log = logging.getLogger(__name__)

AGAIN = "again"  # of any picture, as it needs no more than its record
PARTS = {
    "noise": "noise:look",
    "latents": "latents:look",
    "words": "words:look",
    "likeness": "likeness:look",
    "run": "run:look",
    AGAIN: "again:look",
}  # what is looked at -> "module:function" of `pipelines.inside`
GOING_ON = ("run", AGAIN)  # looks that can go on from the step that they have come to
LEAST = 5.0  # seconds that a look is at work before it gives way to others, so that models are not moved for every step
OFTEN = 0.5  # seconds between looks whether somebody waits
MOST = 200 * 2**20  # bytes of all that was found which are kept
NOT_DRAWN = "No model drew this picture from words, so there is nothing to see inside. Choose one that was drawn."
ENLARGED = "This picture was made larger by diffusion, which Inside does not follow. Choose the picture that it began with."
BROKEN = "Something broke inside Atelier while it looked at this. The details are in the log."
NO_PART = "There is no such look."
FOUND_NO_MORE = "What was seen is not kept any more. Look again."
ENDED = ("done", "stopped", "failed")


@dataclass
class Look:
    """One look of one person into one picture."""

    part: str
    user: str = ""
    state: str = "waiting"
    step: int = 0
    steps: int = 0
    message: str = ""
    found: Found | None = None
    stop: bool = False
    errand: Future[None] = field(default_factory=Future[None])

    def told(self) -> InsideLook:
        found = self.found.told if self.found else None
        return cast(
            InsideLook,
            {"part": self.part, "state": self.state, "step": self.step, "steps": self.steps, "message": self.message, "found": found},
        )


class Insides:
    """Safe to call from any thread."""

    def __init__(
        self, worker: Worker, catalog: Catalog, inputs: Inputs, tokens: TokenViews, resolved: Callable[[Request], Request]
    ) -> None:
        """`resolved`: a request with everything that it names looked up; raises `UserError` for what is not there."""
        self._worker, self._catalog, self._inputs, self._tokens, self._resolved = worker, catalog, inputs, tokens, resolved
        self._lock, self._clock = threading.Lock(), time.monotonic
        self._looks: dict[tuple[str, str, str], Look] = {}  # (user, picture, part), the oldest first

    def picture(self, record: PictureRecord, steps: int = 0) -> InsidePicture:
        """What can be said without weights. `steps`: as if it had been drawn in so many; 0: in its own."""
        request = record.request
        if why := blocked(request):
            return _nothing(record, why)
        assert isinstance(request, Drawing)
        try:
            return self._told(record, replace(request, steps=steps) if steps else request)
        except UserError as error:
            return _nothing(record, str(error))

    def _told(self, record: PictureRecord, request: Drawing) -> InsidePicture:
        """Raises `UserError` when its model is not there, or is not whole."""
        from pipelines.inside.schedules import schedules_of

        checkpoint = self._catalog.checkpoint(request.checkpoint)
        family, schedule = FAMILIES[checkpoint.family_key].name, schedules_of(request, checkpoint)
        return {
            **_nothing(record, ""),
            "model": checkpoint.name,
            "family": family,
            "schedule": schedule,
            "tokens": self._tokens.of(request, "prompt"),
        }

    def begin(self, record: PictureRecord, part: str, user: str) -> InsideLook:
        """Begins a look, unless it has begun already or has found something. Raises `UserError` when it cannot be."""
        if part not in PARTS:
            raise UserError(NO_PART)
        if part != AGAIN and (why := blocked(record.request)):
            raise UserError(why)
        with self._lock:
            known = self._looks.get((user, record.id, part))
            is_over = known is not None and (known.state in ("stopped", "failed") or (part == AGAIN and known.state == "done"))
            if known and not is_over:
                return known.told()
        look, desk = Look(part, user), self._desk(record, part)
        self._put(look, desk)
        with self._lock:
            self._looks[(user, record.id, part)] = look
        return look.told()

    def _put(self, look: Look, desk: Desk | Record) -> None:
        """Raises `UserError` when too much waits already."""
        look.errand = self._worker.between_jobs(f"inside {look.part} {look.user}", lambda runner: self._do(look, desk, runner))
        look.errand.add_done_callback(lambda future: _released(look, future))

    def _desk(self, record: PictureRecord, part: str) -> Desk | Record:
        if part == AGAIN:
            return record_of(record.path, self._catalog, self._resolved)
        request = self._resolved(record.request)
        assert isinstance(request, Drawing)
        return Desk(request.single(0), record.path, self._inputs)

    def look(self, picture_id: str, part: str, user: str) -> InsideLook:
        """How far it has come."""
        with self._lock:
            look = self._looks.get((user, picture_id, part))
        return (look or Look(part, state="none")).told()

    def file(self, picture_id: str, part: str, name: str, user: str) -> bytes:
        """Something that was found. Raises `UserError` when it is not kept any more."""
        with self._lock:
            look = self._looks.get((user, picture_id, part))
        data = look.found.files.get(name) if look and look.found else None
        if data is None:
            raise UserError(FOUND_NO_MORE)
        return data

    def stop(self, user: str) -> None:
        """All looks of a person, within one step."""
        with self._lock:
            own = [look for (whose, _, _), look in self._looks.items() if whose == user and look.state not in ENDED]
        for look in own:
            look.stop = True
            look.errand.cancel()

    def close(self) -> None:
        """Every look comes to its end within one step."""
        with self._lock:
            looks = list(self._looks.values())
        for look in looks:
            look.stop = True

    def _do(self, look: Look, desk: Desk | Record, runner: Runner) -> None:
        """In the worker's thread."""
        look.state = "running"
        try:
            self._follow(look, desk, _function(look.part)(desk, runner))
        except UserError as error:
            look.state, look.message = "failed", str(error)
        except Exception as error:
            log.exception("a look inside a picture failed")
            look.state, look.message = "failed", NO_MEMORY if is_out_of_memory(error) else BROKEN
        self._forget()

    def _follow(self, look: Look, desk: Desk | Record, looking: Looking) -> None:
        until = self._clock() + LEAST
        with closing(looking):
            while not look.stop:
                try:
                    seen = next(looking)
                except StopIteration as end:
                    look.found, look.state = end.value, "done"
                    return
                look.step, look.steps, look.found = seen.step, seen.steps, seen.found or look.found
                if self._clock() >= until:
                    if self._gives_way(look, desk):
                        return
                    until = self._clock() + OFTEN
        look.state = "stopped"

    def _gives_way(self, look: Look, desk: Desk | Record) -> bool:
        """To a job of somebody else that waits; a look that can go on from its last step then waits its turn again."""
        if look.part not in GOING_ON or not (desk.left.state or desk.left.held):
            return False
        try:
            if not self._worker.book.queue.others_wait(look.user):
                return False
            desk.left.hold()
            look.state = "waiting"
            self._put(look, desk)
        except UserError as error:  # the book cannot be read, or too much waits
            log.info("a look inside goes on without giving way: %s", error)
            look.state = "running"
            return False
        return True

    def _forget(self) -> None:
        """What was found longest ago goes first."""
        with self._lock:
            while sum(look.found.bytes for look in self._looks.values() if look.found) > MOST:
                oldest = next(key for key, look in self._looks.items() if look.found)
                del self._looks[oldest]


def blocked(request: Request) -> str:
    """Why nothing can be seen inside a picture, or ""."""
    if isinstance(request, Upscale):
        return ENLARGED
    return "" if isinstance(request, Drawing) else NOT_DRAWN


def _released(look: Look, future: Future[None]) -> None:
    """An errand that was never begun: something newer took its place, or it was stopped."""
    if look.state != "waiting" or future is not look.errand:
        return
    error = None if future.cancelled() else future.exception()
    look.state, look.message = ("failed", str(error)) if error else ("stopped", "")


def _function(part: str) -> Callable[[Desk | Record, Runner], Looking]:
    module, function = PARTS[part].split(":")
    return getattr(import_module(f"pipelines.inside.{module}"), function)


def _nothing(record: PictureRecord, why: str) -> InsidePicture:
    """Without anything of its model."""
    request = record.request
    drawing = request if isinstance(request, Drawing) else None
    return {
        "id": record.id,
        "prompt": request.words,
        "model": "",
        "family": "",
        "sampler": drawing.sampler if drawing else "",
        "steps": steps_of(drawing).run if drawing else 0,
        "guidance": drawing.guidance_scale if drawing else 0.0,
        "seed": str(record.seed) if record.seed >= 0 else "",
        "width": drawing.width if drawing else record.width,
        "height": drawing.height if drawing else record.height,
        "blocked": why,
        "schedule": None,
        "tokens": None,
    }
