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
from bench.paired import Row, Timed, compare, take_turns
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
JOB, OFF, LIVE = "a job", "a job that nobody looks at", "a job, what words look at shown at each step"


def measure(rounds: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        runner = open_runner(Catalog(HERE / "models" / "starter"), "cpu", Inputs(Path(folder)))
        request = starter_request(runner.catalog.checkpoint(STARTER))
        variants: dict[str, Timed] = {
            BARE: lambda: _drawn(runner, request, lambda _: nullcontext()),
            ATTENTION: lambda: _drawn(runner, request, Listener(request).listening),
            ALL: lambda: _watched(runner, request),
        }
        jobs: dict[str, Timed] = {
            JOB: lambda: _bare_job(runner, request),
            OFF: lambda: _job(runner, request, asks=False),
            LIVE: lambda: _job(runner, request, asks=True),
        }
        rows = compare(take_turns(variants, rounds), BARE, {ATTENTION: 1.10, ALL: None})
        return [*compare(take_turns(jobs, rounds), JOB, {OFF: 1.01, LIVE: 1.10}), *rows]


def _bare_job(runner: ModelRunner, request: TextToImage) -> float:
    begin = time.process_time()
    for batch in runner.batches(request):
        for _ in batch:
            pass
    return time.process_time() - begin


def _job(runner: ModelRunner, request: TextToImage, asks: bool) -> float:
    """A job as the worker runs it. `asks`: its person looks, and is told of every step."""
    heats, job = LiveHeats(), Job("job", USER, request, "running", "", 0.0, None, None)
    begin, seen = time.process_time(), 0
    with heats.wanted_by(USER) if asks else nullcontext(), closing(heats.onlooker(job, request)) as onlooker:
        for batch in runner.batches(request, job.progress, onlooker.watching):
            for event in batch:
                onlooker.heard(event)
                seen += isinstance(event, Step) and heats.told(job, Word()) is not None
    if seen != (request.steps if asks else 0):
        raise AssertionError(f"{seen} steps were seen")
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
