"""How long a device is taken by what it does: what others weigh who could begin with something sooner."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from pipelines.job_book.book import BookError, Job, JobBook
from pipelines.job_book.placing import left_of
from pipelines.jobs.progress import JobProgress


class Taken:
    """Written by the thread of one hand, read by any."""

    def __init__(self, book: JobBook) -> None:
        self._book = book
        self._now: tuple[float, float] | None = None  # since when it does what it does, and the seconds that are expected of that

    def by_errands(self) -> None:
        self._now = time.monotonic(), 0.0

    def by_batch(self, job: Job, ready: Collection[str], coming: Mapping[str, float], device: str) -> None:
        """`ready`, `coming`, `device`: of the place where it is drawn, see `Place`. With what has to be sent for it."""
        checkpoint = getattr(job.request, "checkpoint", "")
        try:
            drawing = self._book.queue.expected(job.request, device, checkpoint not in ready) or 0.0
        except BookError:  # nobody knows
            self._now = time.monotonic(), 0.0
        else:
            self._now = time.monotonic(), drawing + coming.get(checkpoint, 0.0)

    def by_nothing(self) -> None:
        self._now = None

    def left(self, live: JobProgress | None) -> float:
        """Seconds until it begins something else."""
        now, told = self._now, live.batch_eta() if live else None
        if told is not None:
            return told
        return left_of(now[1], time.monotonic() - now[0]) if now else 0.0
