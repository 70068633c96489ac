"""The steps of a job while a folder is brought in, against those of the same job while it rests; and that folder looked through while
nothing is drawn, against reading what each of its files says and no more.

The folder is let go on and held for a few steps at a time, in turns, within one job: a machine's mood lasts longer than that.
"""

from __future__ import annotations

import io
import statistics
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from PIL import Image, PngImagePlugin

from bench.engine import HERE, starter_request
from bench.paired import Row, Timed, compare, take_turns
from bench.queue import book, one_job
from models.library.catalog import Catalog
from models.memory.device import choose, read_machine
from pipelines.images.store import Inputs
from pipelines.job_book.brought import Folder
from pipelines.jobs.events import Step
from pipelines.jobs.outputs import Outputs, inspect
from pipelines.jobs.runner import Events, Watching
from pipelines.jobs.worker import Worker
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Request
from pipelines.runtime.runner import ModelRunner
from pipelines.services.folders import Folders

FILES = 2_000
SIDE = 256  # pixels
BLOCK = 12  # steps with the folder, then as many without it
SETTLES = 2  # of them, in which what was begun before comes to its end
STEPS = 2 * 2 * BLOCK  # of a job: it begins and ends without the folder
JOBS = 3  # a round
SETTINGS = (
    "a lighthouse, snow\nNegative prompt: fog\nSteps: 24, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 4711, "
    "Size: 256x256, Model hash: 0123456789, Model: meadow, Version: v1.10.1"
)


class Held(Folders):
    """Goes on from file to file only while the gate is open."""

    gate = threading.Event()

    def _is_stopped(self, folder: Folder) -> bool:
        while not self._closing.is_set() and not self.gate.wait(0.05):
            pass
        return super()._is_stopped(folder)


class Timing(ModelRunner):
    """Times each step, as the worker meets them; every other block has the gate open, the first and the last have not."""

    gate = Held.gate
    seconds: list[float]  # of the job that was drawn last

    def batches(self, request: Request, progress: Progress | None = None, watching: Watching | None = None) -> Generator[Events]:
        for events in super().batches(request, progress, watching):
            yield self._timed(events)

    def _timed(self, events: Events) -> Events:
        self.seconds, before = [], time.perf_counter()
        for event in events:
            yield event
            if isinstance(event, Step):
                self.seconds.append(time.perf_counter() - before)
                opens = (len(self.seconds) // BLOCK) % 4 in (1, 2)
                (self.gate.set if opens else self.gate.clear)()
                before = time.perf_counter()


def measure(rounds: int) -> list[Row]:
    catalog = Catalog(HERE / "models" / "starter")
    device = choose("cpu")
    runner = Timing(catalog, device, read_machine(device), Inputs(Path(tempfile.gettempdir()) / "atelier-inputs"))
    runner.warm_up()
    with tempfile.TemporaryDirectory() as name, torch.inference_mode():
        place = Path(name)
        write_pictures(place / "pictures", FILES)
        worker = Worker(book(place / "outputs"), Outputs(place / "outputs"), lambda: runner)
        beside = list(steps(worker, runner, place / "pictures", rounds))
        looks: dict[str, Timed] = {"reading each file": lambda: opened(place / "pictures"), "bringing it in": lambda: brought(place)}
        Held.gate.set()
        looked = take_turns(looks, min(rounds, 3))
        worker.book.close()
    return [
        Row("a step beside a folder / a step alone", beside, 1.03, 0.0),
        *compare(looked, "reading each file", {"bringing it in": 3.0}),
    ]


def steps(worker: Worker, runner: Timing, folder: Path, rounds: int) -> Iterator[float]:
    """The mean step beside the folder over the mean step alone, for each pair of blocks that follow each other."""
    folders = Held(worker.book, worker.outputs, str)
    Held.gate.set()
    folder_id = folders.bring(str(folder))
    while not folders.news()[0]["listed"]:
        time.sleep(0.01)
    request = replace(starter_request(runner.catalog.checkpoints()[0]), steps=STEPS)
    for job in range(1 + rounds * JOBS):
        Held.gate.clear()
        before = folders.news()[0]["done"]
        one_job(worker, runner, request)
        alone, first, second, last = (statistics.fmean(runner.seconds[begin + SETTLES : begin + BLOCK]) for begin in range(0, STEPS, BLOCK))
        if job:  # the first one loads
            yield from (first / alone, second / last)
        assert folders.news()[0]["state"] == "reading", "it has come to its end"
    print(f"   {folders.news()[0]['done'] - before} files in the last job, steps of {1000 * alone:.0f} ms")
    folders.stop(folder_id)
    folders.close()


def write_pictures(folder: Path, count: int) -> None:
    """Noise, so that they are as large as pictures are; each differs from the others."""
    folder.mkdir()
    info, stream = PngImagePlugin.PngInfo(), io.BytesIO()
    info.add_text("parameters", SETTINGS)
    Image.fromarray(np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)).save(stream, "PNG", pnginfo=info)
    for number in range(count):
        (folder / f"{number:05}.png").write_bytes(stream.getvalue() + number.to_bytes(4))


def opened(folder: Path) -> float:
    begin = time.perf_counter()
    for path in folder.iterdir():
        assert inspect(path).program
    return time.perf_counter() - begin


def brought(place: Path) -> float:
    """Into a book of its own."""
    with tempfile.TemporaryDirectory(dir=place) as name:
        own = book(Path(name))
        folders = Folders(own, Outputs(Path(name)), str)
        begin = time.perf_counter()
        folders.bring(str(place / "pictures"))
        while folders.news()[0]["state"] == "reading":
            time.sleep(0.01)
        seconds = time.perf_counter() - begin
        assert folders.news()[0]["settings"] == FILES
        folders.close()
        own.close()
    return seconds
