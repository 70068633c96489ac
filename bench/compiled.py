"""What compiled blocks gain on this device, on the starter: a job before they are there against one with them, and how far pictures differ.

Where there is a card, it is the card's gain; else that of the processor, on which the studio itself does not compile. Needs a C++ compiler.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import ImageChops

from bench.engine import HERE, starter_request
from bench.paired import NotHere, Row, Timed, compare, take_turns
from models.library.catalog import STARTER, Catalog
from models.memory.device import choose, read_machine
from models.networks.compiled import Compiler
from pipelines.images.store import Inputs
from pipelines.jobs.events import Picture
from pipelines.requests.request import TextToImage
from pipelines.runtime.runner import ModelRunner

WRITTEN, COMPILED = "a drawing, as written", "a drawing, compiled"
MOST_LEVELS = 8  # of 255


def measure(rounds: int) -> list[Row]:
    if not shutil.which("c++"):
        raise NotHere("there is no C++ compiler (c++) here. Install one, such as the package g++, and measure again")
    device, catalog = choose("cuda" if torch.cuda.is_available() else "cpu"), Catalog(HERE / "models" / "starter")
    with tempfile.TemporaryDirectory() as folder:
        runner = ModelRunner(catalog, device, read_machine(device), Inputs(Path(folder)), compiler=Compiler())
        return _measured(runner, starter_request(catalog.checkpoint(STARTER)), rounds)


def _measured(runner: ModelRunner, request: TextToImage, rounds: int) -> list[Row]:
    compiler = runner.compiler
    assert compiler
    before, begin = drawn(runner, request), time.perf_counter()
    while compiler.pending:
        time.sleep(0.05)
    print(f"   {compiler.ready} kinds of blocks compiled in {time.perf_counter() - begin:.0f} s, {compiler.refused} not")
    apart = int(np.asarray(ImageChops.difference(before.image, drawn(runner, request).image)).max())
    print(f"   pictures differ by {apart} levels of 255 at most")
    assert apart <= MOST_LEVELS

    def timed(own: Compiler | None) -> float:
        runner.compiler = own
        begin = time.perf_counter()
        drawn(runner, request)
        return time.perf_counter() - begin

    variants: dict[str, Timed] = {WRITTEN: lambda: timed(None), COMPILED: lambda: timed(compiler)}
    return compare(take_turns(variants, rounds), WRITTEN, {COMPILED: None})


def drawn(runner: ModelRunner, request: TextToImage) -> Picture:
    [picture] = [event for batch in runner.batches(request) for event in batch if isinstance(event, Picture)]
    return picture
