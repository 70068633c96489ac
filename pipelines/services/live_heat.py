"""Live heat: who wants to see what the words of their picture look at while it is drawn, and what was seen in its newest step.

Looking costs something, so a job is looked at only while its own person asks; then it is from the next step on.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.inside.answers import LiveHeat
from pipelines.inside.seen_now import SeenNow
from pipelines.inside.whole import refusal
from pipelines.job_book.book import Job
from pipelines.jobs.events import Event, Step
from pipelines.jobs.onlooker import Onlooker
from pipelines.requests.request import Drawing, Request

if TYPE_CHECKING:
    from models.diffusion_model import DiffusionModel
    from pipelines.inside.live import LiveEyes

ASKS_AGAIN = 3.0  # seconds after an answer in which a page asks again
NOT_DRAWN = "No model draws this from words, so there are no words that anything looks at."
VEILED = "By your link pictures are looked at by a safety checker before they are shown, so this is not shown either."


@dataclass(frozen=True)
class Word:
    """A word of a prompt. `number`: which one of this spelling it is, from 0."""

    text: str = ""
    number: int = 0


class LiveHeats:
    """Safe to call from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._lock = clock, threading.Lock()
        self._asking: Counter[str] = Counter()  # questions that wait for an answer, by user
        self._asked: dict[str, float] = {}  # when the last one was answered
        self._seen: dict[str, SeenNow] = {}  # by job, of those that run
        self.is_veiled: Callable[[str], bool] = lambda user: False  # previews are not shown to this person as they are

    @contextmanager
    def wanted_by(self, user: str) -> Generator[None]:
        """Within the block, and a moment longer, this person wants to see it."""
        with self._lock:
            self._asking[user] += 1
        try:
            yield
        finally:
            with self._lock:
                self._asking[user] -= 1
                self._asked = {each: when for each, when in self._asked.items() if self._clock() - when < ASKS_AGAIN}
                self._asked[user] = self._clock()
                self._asking = +self._asking  # without whoever asks nothing any more

    def wants(self, user: str) -> bool:
        with self._lock:
            return self._asking[user] > 0 or self._clock() - self._asked.get(user, -ASKS_AGAIN) < ASKS_AGAIN

    def told(self, job: Job, word: Word) -> LiveHeat | None:
        """Of the newest step of a job, for its own person; None while nothing was seen."""
        seen = self._seen.get(job.id)
        if seen and self.is_veiled(job.user):
            seen = SeenNow(seen.step, seen.steps, message=VEILED)
        return seen.told(job.id, word.text, word.number) if seen else None

    def onlooker(self, job: Job, request: Request) -> Onlooker:
        """For a job that begins."""
        why = refusal(request) if isinstance(request, Drawing) else NOT_DRAWN
        if why or not isinstance(request, Drawing):
            self._seen[job.id] = SeenNow(0, 0, message=why)
            return _Closing(lambda: self._seen.pop(job.id, None))
        return _Looking(job, request, lambda: self.wants(job.user), lambda seen: self._keep(job.id, seen))

    def _keep(self, job: str, seen: SeenNow | None) -> None:
        if seen:
            self._seen[job] = seen
        else:
            self._seen.pop(job, None)


class _Closing(Onlooker):
    def __init__(self, forget: Callable[[], object]) -> None:
        self._forget = forget

    def close(self) -> None:
        self._forget()


class _Looking(Onlooker):
    def __init__(self, job: Job, request: Drawing, wanted: Callable[[], bool], keep: Callable[[SeenNow | None], None]) -> None:
        self._job, self._request, self._wanted, self._keep = job, request, wanted, keep
        self._eyes: LiveEyes | None = None

    @contextmanager
    def watching(self, model: DiffusionModel) -> Generator[None]:
        from pipelines.inside.live import eyes_for  # with torch, which whoever lends a model has

        with ExitStack() as stack:
            self._eyes = stack.enter_context(eyes_for(self._request, model, self._pictures))
            stack.callback(self._blink)
            yield

    def _pictures(self) -> int:
        """Of the batch in work those that are left: they are drawn side by side."""
        progress, size = self._job.progress, self._request.pictures_a_batch
        first = progress.batch * size
        return first + size - max(first, min(progress.pictures, first + size))

    def _blink(self) -> None:
        self._eyes = None

    def heard(self, event: Event | None) -> None:
        if self._eyes is None:
            return
        if isinstance(event, Step) and not event.before:
            self._keep(self._eyes.step(event))
        self._eyes.switch(self._wanted())

    def close(self) -> None:
        self._keep(None)
