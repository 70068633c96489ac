"""What it costs to watch a drawing (attention to each word, both predictions, blocks of the UNet): processor time, on the starter."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from bench.engine import HERE, starter_request
from bench.paired import Row, Timed, compare, take_turns
from models.diffusion_model import DiffusionModel
from models.library.catalog import STARTER, Catalog
from pipelines.images.store import Inputs
from pipelines.inside.attention import overheard
from pipelines.inside.watch import Watch
from pipelines.jobs.events import Step
from pipelines.requests.request import TextToImage
from pipelines.runtime.runner import ModelRunner, open_runner

Watching = Callable[[DiffusionModel], AbstractContextManager[None]]
BARE, ATTENTION, ALL = "a drawing", "its attention heard", "all of it watched"


def measure(rounds: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        runner = open_runner(Catalog(HERE / "models" / "starter"), "cpu", Inputs(Path(folder)))
        request = starter_request(runner.catalog.checkpoint(STARTER))
        variants: dict[str, Timed] = {
            BARE: lambda: _drawn(runner, request, lambda _: nullcontext()),
            ATTENTION: lambda: _drawn(runner, request, lambda model: overheard(model.unet, lambda *_: None)),
            ALL: lambda: _watched(runner, request),
        }
        return compare(take_turns(variants, rounds), BARE, {ATTENTION: 1.10, ALL: None})


def _watched(runner: ModelRunner, request: TextToImage) -> float:
    watch = Watch(request)
    return _drawn(runner, request, watch.watching, watch.made)


def _drawn(runner: ModelRunner, request: TextToImage, watching: Watching, made: Callable[[int], None] = lambda _: None) -> float:
    begin = time.process_time()
    for event in runner.watched(request, watching):
        if isinstance(event, Step):
            made(event.index)
    return time.process_time() - begin
