"""A job while a folder of 4,000 pictures is brought in, against the same job alone; and that folder looked through while nothing is drawn,
against reading what each of its files says and no more.
"""

from __future__ import annotations

import io
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image, PngImagePlugin

from bench.engine import HERE, starter_request
from bench.paired import Row, Timed, compare, take_turns
from bench.queue import book, one_job
from models.library.catalog import Catalog
from pipelines.images.store import Inputs
from pipelines.jobs.outputs import Outputs, inspect
from pipelines.jobs.worker import Worker
from pipelines.runtime.runner import open_runner
from pipelines.services.folders import Folders

FILES = 4_000
SIDE = 256  # pixels
SETTINGS = (
    "a lighthouse, snow\nNegative prompt: fog\nSteps: 24, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 6.5, Seed: 4711, "
    "Size: 256x256, Model hash: 0123456789, Model: meadow, Version: v1.10.1"
)


def measure(rounds: int) -> list[Row]:
    catalog = Catalog(HERE / "models" / "starter")
    runner = open_runner(catalog, "cpu", Inputs(Path(tempfile.gettempdir()) / "atelier-inputs"))
    request = starter_request(catalog.checkpoints()[0])
    with tempfile.TemporaryDirectory() as name, torch.inference_mode():
        place = Path(name)
        write_pictures(place / "pictures", FILES)
        worker = Worker(book(place / "outputs"), Outputs(place / "outputs"), lambda: runner)
        folders = Folders(worker.book, worker.outputs, str)
        folder_id = folders.bring(str(place / "pictures"))
        folders.stop(folder_id)

        def beside() -> float:
            folders.go_on(folder_id)
            seconds = one_job(worker, runner, request)
            assert folders.news()[0]["state"] == "reading"
            folders.stop(folder_id)
            return seconds

        jobs: dict[str, Timed] = {"a job alone": lambda: one_job(worker, runner, request), "a job beside a folder": beside}
        times = take_turns(jobs, rounds)
        looks: dict[str, Timed] = {"reading each file": lambda: opened(place / "pictures"), "bringing it in": lambda: brought(place)}
        looked = take_turns(looks, min(rounds, 3))
        folders.close()
        worker.book.close()
    return [
        *compare(times, "a job alone", {"a job beside a folder": 1.03}),
        *compare(looked, "reading each file", {"bringing it in": 3.0}),
    ]


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
