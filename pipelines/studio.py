"""The studio: all that the page and other programs see of the work. Importing it loads no weights and no torch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from models.catalog import Catalog, Checkpoint
from models.errors import UserError
from pipelines.engine import Engine, Painter
from pipelines.jobs import ENDED, RUNNING, WAITING, Job, JobBook, PictureRecord
from pipelines.live import Live
from pipelines.outputs import Outputs
from pipelines.prompts import TokenCount, count, load_tokenizer, unknown_words
from pipelines.request import Request

ENDED_VERSION = 2**53 - 1  # newer than any number a running job shows; the largest integer JavaScript keeps exactly


class Studio:
    """One book, one engine, one catalogue. Safe to call from any thread."""

    def __init__(self, catalog: Catalog, outputs: Outputs, book: JobBook, open_painter: Callable[[], Painter]) -> None:
        self._catalog = catalog
        self.book = book
        self._engine = Engine(book, outputs, open_painter)
        self._tokenizer = lru_cache(maxsize=8)(load_tokenizer)

    def start(self) -> None:
        """Starts the worker; it warms up behind the page."""
        self._engine.start()

    def close(self) -> None:
        self._engine.close()
        self.book.close()

    def engine_state(self) -> tuple[str, str]:
        """("starting" | "ready" | "failed", a sentence)."""
        return self._engine.state

    def checkpoints(self) -> list[Checkpoint]:
        return self._catalog.checkpoints()

    def submit(self, request: Request, user: str) -> str:
        """Queues the request and returns the job's id. Raises `UserError` when it cannot be drawn."""
        self._catalog.checkpoint(request.checkpoint)
        return self._engine.submit(request, user)

    def stop(self, job_id: str, user: str) -> None:
        self.job(job_id, user)
        self._engine.stop(job_id)

    def skip(self, job_id: str, user: str) -> None:
        self.job(job_id, user)
        self._engine.skip(job_id)

    def current(self, user: str) -> str | None:
        return self.book.current(user)

    def recent(self, user: str, limit: int = 60) -> list[PictureRecord]:
        return self.book.recent(user, limit)

    def picture(self, picture_id: str) -> PictureRecord | None:
        return self.book.picture(picture_id)

    def token_count(self, checkpoint: str, text: str) -> TokenCount:
        return count(self._tokenizer(self._catalog.checkpoint(checkpoint).tokenizer), text)

    def unknown_words(self, checkpoint: str, text: str) -> tuple[str, ...]:
        known = self._catalog.checkpoint(checkpoint).known_words
        return unknown_words(text, known) if known else ()

    def job(self, job_id: str, user: str) -> Job:
        """Raises `UserError` when it is not among this user's jobs."""
        job = self.book.job(job_id)
        if job is None or job.user != user:
            raise UserError("This job is not among yours. Reload the page to see your own.")
        return job

    async def watch(self, job_id: str, user: str, after: int, timeout: float = 20) -> dict[str, Any]:
        """Waits until the job has news after version `after`, at most `timeout` seconds, and returns its progress."""
        deadline = asyncio.get_running_loop().time() + timeout
        while True:
            bell = self._engine.bell.ticket()
            left = deadline - asyncio.get_running_loop().time()
            if self._version(job_id, after) > after or left <= 0:
                return await asyncio.to_thread(self._progress, job_id, user, after)
            try:
                await asyncio.wait_for(bell.wait(), left)
            except TimeoutError:
                continue

    def _version(self, job_id: str, after: int = -1) -> int:
        live = self._engine.live(job_id)
        if live:
            return live.version
        if self._engine.queue_version <= after:
            return after  # nothing but steps of other jobs: not worth a look into the book
        job = self.book.job(job_id)
        return self._engine.queue_version if job and job.state in (WAITING, RUNNING) else ENDED_VERSION

    def _progress(self, job_id: str, user: str, after: int) -> dict[str, Any]:
        version = self._version(job_id)  # read first: what changes meanwhile is then told again, never missed
        live = self._engine.live(job_id)
        if live and live.job.user == user:
            return {**self._standing(live.job, live.pictures), "version": version, **_motion(live, after)}
        job = self.job(job_id, user)
        standing = self._standing(job, self.book.pictures_of(job_id))
        return {**standing, "version": ENDED_VERSION if job.state in ENDED else version}

    def _standing(self, job: Job, pictures: Sequence[PictureRecord]) -> dict[str, Any]:
        """What is known of any job, also of one that waits or has ended."""
        waits = job.state == WAITING
        warming = self._engine.state[1] if waits and self._engine.state[0] != "ready" else ""
        return {
            "job": job.id,
            "state": job.state,
            "ahead": self.book.ahead(job.id) if waits else 0,
            "step": 0,
            "steps": job.request.steps,
            "picture": len(pictures),
            "pictures_total": job.request.picture_count,
            "eta": None,
            "previews": [],
            "pictures": [summary(record) for record in pictures],
            "message": job.message or warming,
        }


def _motion(live: Live, after: int) -> dict[str, Any]:
    """What only a running job has. `picture` counts the ones before this batch, skipped ones too."""
    step = live.step
    if step is None:
        return {}
    before = step.batch * live.job.request.batch_size
    return {"step": step.index, "steps": step.count, "picture": before, "eta": live.eta(), "previews": live.frames(after)}


def summary(record: PictureRecord) -> dict[str, Any]:
    """What a page shows of a picture."""
    # A seed goes as text: JavaScript's numbers lose digits beyond 2^53.
    return {"id": record.id, "width": record.width, "height": record.height, "seed": str(record.seed), "prompt": record.request.prompt}


