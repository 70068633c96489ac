"""Enlarging by an upscaler in tiles: the whole work against the sum of its network calls, and the memory of a tile against its forecast.

The network has the shape of RealESRGAN Compact and random weights; seconds are those of the processor, of one thread. What the calls do not
take is reading tiles, blending them, previews. The second row is a ratio of bytes: the most that the process grows by while a tile is made,
over what was counted on meta tensors and what libraries take beside it.
"""

from __future__ import annotations

import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import psutil
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from bench.paired import Row
from models.memory.device import choose, mend_torchvision, threads
from models.memory.forecast import SLACK
from models.upscalers.upscaler import Upscaler, load_upscaler
from pipelines.tasks.upscaling import upscaled

SIDE, TILE, SCALE = 400, 128, 4
MOST_TIME, MOST_MEMORY = 1.05, 1.2
LARGE = 512  # pixels of the tile whose memory is measured


@dataclass(frozen=True)
class Clocked(Upscaler):
    """Knows how long each call took."""

    calls: list[float] = field(default_factory=list[float])

    def __call__(self, pixels: Tensor) -> Tensor:
        begun = time.process_time()
        made = super().__call__(pixels)
        self.calls.append(time.process_time() - begun)
        return made


def measure(rounds: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        upscaler = compact(Path(name) / "compact.safetensors")
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8))
    with threads(1):  # beside others that work, two threads wait for each other
        shares, seconds = zip(*(tiled(upscaler, picture) for _ in range(rounds + 1)), strict=True)
        grown = [growth(upscaler) / (LARGE**2 * upscaler.bytes_a_pixel * SLACK) for _ in range(min(rounds, 3))]
    what = f"enlarged in tiles of {TILE}"
    return [
        Row(f"{what} / its network calls", shares[1:], MOST_TIME, float(np.median(seconds[1:]))),
        Row(f"memory of a tile of {LARGE} / its forecast", grown, MOST_MEMORY, 0.0),
    ]


def compact(file: Path) -> Clocked:
    mend_torchvision()
    from spandrel.architectures.Compact import Compact

    torch.manual_seed(1)
    save_file(Compact(num_feat=48, num_conv=8, upscale=SCALE).state_dict(), file)
    made = load_upscaler(file, "compact", choose("cpu"))
    return Clocked(made.name, made.described, made.bytes_a_pixel)


def tiled(upscaler: Clocked, picture: Image.Image) -> tuple[float, float]:
    """The whole over its calls, and its seconds."""
    upscaler.calls.clear()
    begun = time.process_time()
    for _ in upscaled(upscaler, picture, (SIDE * SCALE, SIDE * SCALE), tile=TILE):
        pass
    whole = time.process_time() - begun
    return whole / sum(upscaler.calls), whole


def growth(upscaler: Upscaler) -> int:
    """Bytes that the process grows by at most while one tile is made."""
    process, done, tile = psutil.Process(), threading.Event(), torch.rand(3, LARGE, LARGE)
    before = most = process.memory_info().rss

    def watch() -> None:
        nonlocal most
        while not done.wait(0.001):
            most = max(most, process.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    upscaler(tile)
    done.set()
    watcher.join()
    return most - before
