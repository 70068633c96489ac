"""What it costs to watch a drawing, on the starter: live, what words look at while a job draws; and all of it (attention of every layer,
both predictions, blocks of the UNet). Processor time.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

from bench.engine import HERE, USER, starter_request
from bench.paired import Row, Timed, compare, row, take_turns
from models.diffusion_model import DiffusionModel
from models.library.catalog import STARTER, Catalog
from pipelines.images.store import Inputs
from pipelines.inside.listener import Listener
from pipelines.inside.watch import Watch
from pipelines.job_book.book import Job
from pipelines.jobs.events import Step
from pipelines.requests.request import TextToImage
from pipelines.runtime.runner import ModelRunner, open_runner
from pipelines.services.live_heat import LiveHeats, Word

Watching = Callable[[DiffusionModel], AbstractContextManager[None]]
BARE, ATTENTION, ALL = "a drawing", "its attention heard", "all of it watched"
JOB, LIVE = "a job", "a job, what words look at shown at each step"
OFF = "to find that nobody looks / a job"


def measure(rounds: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        runner = open_runner(Catalog(HERE / "models" / "starter"), "cpu", Inputs(Path(folder)))
        request = starter_request(runner.catalog.checkpoint(STARTER))
        variants: dict[str, Timed] = {
            BARE: lambda: _drawn(runner, request, lambda _: nullcontext()),
            ATTENTION: lambda: _drawn(runner, request, Listener(request).listening),
            ALL: lambda: _watched(runner, request),
        }
        spent: list[float] = []
        jobs: dict[str, Timed] = {
            JOB: lambda: _job(runner, request, asks=False, spent=spent),
            LIVE: lambda: _job(runner, request, asks=True, spent=[]),
        }
        rows, times = compare(take_turns(variants, rounds), BARE, {ATTENTION: 1.10, ALL: None}), take_turns(jobs, rounds)
        return [*compare(times, JOB, {LIVE: 1.10}), row(OFF, spent[-rounds:], times[JOB], 0.001), *rows]


def _job(runner: ModelRunner, request: TextToImage, asks: bool, spent: list[float]) -> float:
    """A job as the worker runs it. `asks`: its person looks, and is told of every step. `spent`: hears what the onlooker took, seconds."""
    heats, job = LiveHeats(), Job("job", USER, request, "running", "", 0.0, None, None)
    begin, seen, took = time.process_time(), 0, 0.0
    with heats.wanted_by(USER) if asks else nullcontext(), closing(heats.onlooker(job, request)) as onlooker:
        for batch in runner.batches(request, job.progress, onlooker.watching):
            for event in batch:
                before = time.thread_time()
                onlooker.heard(event)
                took += time.thread_time() - before
                seen += isinstance(event, Step) and heats.told(job, Word()) is not None
    if seen != (request.steps if asks else 0):
        raise AssertionError(f"{seen} steps were seen")
    spent.append(took)
    return time.process_time() - begin


def _watched(runner: ModelRunner, request: TextToImage) -> float:
    watch = Watch(request)
    return _drawn(runner, request, watch.watching, watch.made)


def _drawn(runner: ModelRunner, request: TextToImage, watching: Watching, made: Callable[[int], None] = lambda _: None) -> float:
    begin = time.process_time()
    for event in runner.watched(request, watching):
        if isinstance(event, Step):
            made(event.index)
    return time.process_time() - begin
