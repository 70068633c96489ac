"""A worker that draws a job with toy weights in a process of its own, which is killed in the middle of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from models.library.catalog import Catalog
from models.memory.forecast import Machine
from pipelines.images.store import INPUTS, Inputs
from pipelines.job_book.book import JobBook
from pipelines.jobs import outputs
from pipelines.jobs.events import Step
from pipelines.jobs.outputs import Outputs
from pipelines.jobs.runner import Events, Watching
from pipelines.jobs.worker import Worker
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Request
from pipelines.runtime.runner import ModelRunner
from pipelines.steps.store import KeptSteps
from tests.support.toy_weights import CPU

STEPS = 6
AHEAD = ["tests.support.drawn_ahead"]  # what the processes of `begun` share, if no other module has begun such ones before


class Stalling(ModelRunner):
    """Makes so many steps, and then none any more. `made`: steps of all tries."""

    most = 10**9
    made = 0

    def batches(self, request: Request, progress: Progress | None = None, watching: Watching | None = None) -> Generator[Events]:
        for batch in super().batches(request, progress, watching):
            yield self._stalling(batch)

    def _stalling(self, batch: Events) -> Events:
        for event in batch:
            self.made += isinstance(event, Step) and not event.before
            yield event
            while self.made >= self.most:
                time.sleep(0.01)


def begun(work: Callable[..., None], *given: object) -> Any:
    """A process of its own that does this, and is killed at the latest when this one ends."""
    context = get_context("forkserver")
    context.set_forkserver_preload(AHEAD)
    process = context.Process(target=work, args=given, daemon=True)
    process.start()
    return process


def worker_in(folder: Path) -> tuple[Worker, Stalling]:
    """In a folder with the toy starter and an outputs folder."""
    outputs = folder / "outputs"
    book, kept = JobBook(outputs / "studio.db", outputs), KeptSteps(outputs, 10**9)
    catalog = Catalog(folder / "starter", [folder / "models"])
    catalog.rescan(wait=True)
    runner = Stalling(catalog, CPU, Machine(host=10**9), Inputs(outputs / INPUTS), steps=kept)
    return Worker(book, Outputs(outputs), lambda: runner, steps=kept), runner


def draw_some(folder: str, most: int) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    worker, runner = worker_in(Path(folder))
    runner.most = most
    worker.book.recover(worker.steps.kept.came_on)
    worker.run_next(runner)


def write_some(folder: str, whole: int) -> None:
    """Draws a clip, then writes so many of its files, half of the next one, and no more."""
    os.environ["OMP_NUM_THREADS"] = "1"
    write, left = outputs._write_through, iter(range(whole))

    def stalling(path: Path, data: bytes) -> None:
        if next(left, None) is not None:
            write(path, data)
            return
        path.write_bytes(data[: len(data) // 2])
        time.sleep(600)

    outputs._write_through = stalling
    worker, runner = worker_in(Path(folder))
    worker.run_next(runner)
    while True:  # its file is made in a thread of its own
        worker.hands[0].saving.write()
        time.sleep(0.01)
