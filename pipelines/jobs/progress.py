"""Progress of a running job at this moment, and a bell that wakes those who watch it.

The worker writes here at every step; it never waits for a viewer. Only the last few steps are kept, so a slow viewer misses
frames and a stalled one costs nothing. A frame is made into a picture file when somebody first asks for it, outside the worker.
"""

from __future__ import annotations

import asyncio
import base64
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from models.memory.manager import Key
from pipelines.job_book.book import Job, PictureRecord
from pipelines.jobs.events import Step
from pipelines.jobs.line import Lost
from pipelines.requests.remaining import Progress

log = logging.getLogger(__name__)

FRAMES = 8  # steps whose previews a viewer can still get


class Bell:
    """Wakes those who wait, from any thread: everybody, or whom a name concerns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Event] = {}

    def ticket(self, name: str = "") -> asyncio.Event:
        """Take one before looking at what you watch: the event is set by the next ring, also one that comes in between. `name`: only by
        rings for everybody, and for this name; "" hears all.
        """
        with self._lock:
            return self._waiting.setdefault((asyncio.get_running_loop(), name), asyncio.Event())

    def ring(self, name: str | None = None) -> None:
        """`name`: whom it concerns; None for everybody."""
        with self._lock:
            rung = [key for key in self._waiting if name is None or key[1] in (name, "")]
            events = [(loop, self._waiting.pop((loop, each))) for loop, each in rung]
        for loop, event in events:
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)


class Versions:
    """Numbers that only grow, also over a restart of the server, so that a viewer's "newer than this" keeps its meaning."""

    def __init__(self, first: int) -> None:
        """`first`: beyond all that earlier runs have given out, as the job book counts them."""
        self._lock = threading.Lock()
        self._last = first

    def next(self) -> int:
        with self._lock:
            self._last += 1
            return self._last


class Frame:
    """The preview of one step: made when somebody first asks, once however many ask."""

    def __init__(self, step: Step, version: int) -> None:
        self.step = step
        self.version = version
        self._lock = threading.Lock()
        self._url = ""
        self._asked = False

    def url(self) -> str:
        """Empty when there is none, or it cannot be made: that costs the viewer a frame, and nobody anything else."""
        with self._lock:
            if not self._asked:
                self._asked = True
                self._make()
            return self._url

    def _make(self) -> None:
        try:
            self._url = _data_url(data) if (data := self.step.preview()) else ""
        except Lost as error:
            log.info("there is no preview of step %s: %s", self.step.index, error)
        except Exception:
            log.exception("a preview could not be made")


@dataclass
class JobProgress:
    """The progress of one running job. Written by the worker alone, read by anyone, with no look into the book."""

    job: Job
    version: int
    recent: deque[Frame] = field(default_factory=lambda: deque(maxlen=FRAMES))
    pictures: tuple[PictureRecord, ...] = ()  # finished and saved
    drawn: int = 0  # pictures that are finished, saved or not yet
    progress: Progress = field(default_factory=Progress)  # where the job stands; led on by the worker's thread
    first: int = 0  # the batch that it was begun with, or went on with
    made: int | None = None  # steps of that batch that a try before had made; None before the first one
    has_read: bool = False  # something was read from the disk for the batch in work
    has_loaded: bool = False  # and that was a model
    has_sent: bool = False  # files went to the device first
    reading: Callable[[], Key | None] = lambda: None  # what is read for it at this moment; from any thread
    stop: bool = False
    skip: bool = False
    started: float = field(default_factory=time.monotonic)

    def advance(self, news: Step | PictureRecord, version: int) -> None:
        if isinstance(news, Step):
            if self.made is None and not news.before:
                self.made = max(0, news.index - 1)
            self.recent.append(Frame(news, version))
            if news.before:
                self.started = time.monotonic()  # the pace is that of drawing
        else:
            self.pictures += (news,)
        self.version = version

    @property
    def step(self) -> Step | None:
        return self.recent[-1].step if self.recent else None

    def eta(self) -> float | None:
        """Seconds of drawing left at the pace so far, None before the second step."""
        step = self.step
        made = self.made or 0
        if step is None or step.before or (step.batch == self.first and step.index - made < 2):
            return None
        drawn = (step.batch - self.first) * step.count + step.index
        return (time.monotonic() - self.started) / (drawn - made) * (step.count * (step.batches - self.first) - drawn)

    def batch_eta(self) -> float | None:
        """The same of the batch in work."""
        step, eta = self.step, self.eta()
        if step is None or eta is None:
            return None
        left = step.count * (step.batches - step.batch) - step.index
        return eta * (step.count - step.index) / left if left else 0.0

    def frames(self, after: int) -> list[str]:
        """Previews newer than version `after` as data URLs, oldest first, the last one the newest: at most the last few steps.

        A viewer that keeps up sees every step; one that falls further behind misses the oldest.
        """
        return [url for frame in tuple(self.recent) if frame.version > after and (url := frame.url())]


def _data_url(data: bytes) -> str:
    kind = "png" if data.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def begun(job: Job, version: int, pictures_of: Callable[[str], list[PictureRecord]]) -> JobProgress:
    """From where the job stands, with the pictures that it has."""
    live = JobProgress(job, version, progress=job.progress, first=job.progress.batch)
    if job.progress.pictures:
        live.pictures = tuple(pictures_of(job.id))
        live.drawn = len(live.pictures)
    return live
