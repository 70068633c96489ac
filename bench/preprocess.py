"""Preprocessors that need no weights, against Canny at the same resolution."""

from __future__ import annotations

import time

import numpy as np
from PIL import Image

from bench.paired import Row, Timed, compare, take_turns
from pipelines.preprocessors import PREPROCESSORS, preprocess

RESOLUTIONS = (512, 1024)
BASE = "Canny"


def measure(rounds: int) -> list[Row]:
    return [entry for side in RESOLUTIONS for entry in of_side(side, rounds)]


def of_side(side: int, rounds: int) -> list[Row]:
    picture, mask = scene(side), Image.new("L", (side, side), 255)
    names = [entry.name for entry in PREPROCESSORS.values() if not entry.weights]
    times = take_turns({f"{name} at {side}": timed(name, picture, mask) for name in names}, rounds)
    base = f"{BASE} at {side}"
    return compare(times, base, {name: None for name in times if name != base})


def scene(side: int) -> Image.Image:
    """Smooth colours with some noise."""
    numbers = np.random.default_rng(1)
    smooth = Image.fromarray(numbers.integers(0, 256, (12, 12, 3), np.uint8)).resize((side, side), Image.Resampling.BICUBIC)
    return Image.fromarray(np.clip(np.asarray(smooth) + numbers.normal(0, 6, (side, side, 3)), 0, 255).astype(np.uint8))


def timed(name: str, picture: Image.Image, mask: Image.Image) -> Timed:
    def run() -> float:
        start = time.perf_counter()
        preprocess(name, picture, picture.width, 0, 0, mask=mask)
        return time.perf_counter() - start

    return run
