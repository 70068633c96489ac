"""Inpainting a small part of a picture of 2048 x 2048: the part alone, against the whole picture at the same size and at a finer one.

"Only masked" draws the part at 256 x 256. To show as much of it, the whole picture has to be drawn at 1024 x 1024 and more. The row
against a picture of 256 x 256 says what the large picture itself costs: reading, blurring its mask, cutting out, putting back.
"""

from __future__ import annotations

import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from bench.engine import HERE
from bench.paired import Row, Timed, compare, take_turns
from models.library.catalog import Catalog
from pipelines.images.store import Inputs
from pipelines.requests.request import Inpaint
from pipelines.runtime.runner import ModelRunner, open_runner

LARGE, DRAWN, FINE = 2048, 256, 1024
PART = "only masked, a picture of 2048, drawn at 256"


def measure(rounds: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        inputs = Inputs(Path(name))
        runner = open_runner(Catalog(HERE / "models" / "starter"), "cpu", inputs)
        large = request(inputs, LARGE)
        variants: dict[str, Timed] = {
            PART: timed(runner, replace(large, area="Only masked")),
            "whole, a picture of 2048, drawn at 256": timed(runner, large),
            "whole, a picture of 256, drawn at 256": timed(runner, request(inputs, DRAWN)),
            "whole, a picture of 2048, drawn at 1024": timed(runner, replace(large, width=FINE, height=FINE)),
        }
        times = take_turns(variants, min(rounds, 5))
    rows = compare(times, "whole, a picture of 2048, drawn at 256", {PART: None})
    rows += compare(times, "whole, a picture of 256, drawn at 256", {PART: None})
    return rows + compare(times, "whole, a picture of 2048, drawn at 1024", {PART: None})


def request(inputs: Inputs, side: int) -> Inpaint:
    """A mask of an eighth of the side in the middle of noise."""
    pixels = np.random.default_rng(1).integers(0, 256, (side, side, 3), np.uint8)
    mask = Image.new("L", (side, side))
    ImageDraw.Draw(mask).rectangle((side * 7 // 16, side * 7 // 16, side * 9 // 16, side * 9 // 16), fill=255)
    image, painted = inputs.keep(Image.fromarray(pixels)), inputs.keep(mask)
    return Inpaint(prompt="a tree", image=image, mask=painted, width=DRAWN, height=DRAWN, seed=1, steps=8, denoising_strength=1.0)


def timed(runner: ModelRunner, asked: Inpaint) -> Timed:
    def run() -> float:
        start = time.perf_counter()
        for batch in runner.batches(asked):
            for _ in batch:
                pass
        return time.perf_counter() - start

    return run
