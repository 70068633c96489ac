"""Loading a full-size Stable Diffusion 1 from one file, against one plain read of its bytes; and the memory it takes at its peak.

The file lies in the page cache. Twice: as it is on a graphics card (numbers stay as they are) and, of the file in float16, as it is
on a CPU, where it is computed in float32. Takes 7 GB of disk for temporary files and 6 GB of memory.
"""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from bench.paired import Row, Timed, compare, row, take_turns
from models.families import SD1
from models.library.checkpoint import Checkpoint
from models.loading.loading import load
from models.memory.device import Device
from tests.support.full_size import single_file_pipeline, write_diffusers_configs, write_full_size
from tests.support.toy_files import as_checkpoint

PLAIN = "plain read of the bytes"
NAMES = {torch.float16: "float16", torch.float32: "float32"}


def measure(rounds: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        configs = write_diffusers_configs(folder / "configs")
        return [entry for dtype in NAMES for entry in of_file(folder / "model.safetensors", dtype, configs, min(rounds, 5))]


def of_file(file: Path, dtype: torch.dtype, configs: Path, rounds: int) -> list[Row]:
    write_full_size(file, dtype)
    checkpoint = as_checkpoint(file, SD1)
    ways: dict[str, Callable[[], Any]] = {
        PLAIN: file.read_bytes,
        "load, numbers as they are": lambda: opened(checkpoint, dtype),
        "load, computed in float32": lambda: opened(checkpoint, torch.float32),
        "diffusers from_single_file": lambda: single_file_pipeline(file, configs, dtype),
        "safetensors load_file and a copy": lambda: {name: tensor.clone() for name, tensor in load_file(file).items()},
    }
    if dtype == torch.float32:
        del ways["load, computed in float32"]  # it is the same
    times = take_turns({name: timed(way) for name, way in ways.items()}, rounds)
    limits: dict[str, float | None] = {name: None for name in ways if name != PLAIN}
    rows = compare(times, PLAIN, limits | {"load, numbers as they are": 1.3})
    size = file.stat().st_size / 1e9
    rows += [row(f"peak of memory (GB, not seconds), {name} / the file", [peak(way)], [size], None) for name, way in ways.items()]
    return [Row(f"{NAMES[dtype]}: {entry.name}", entry.ratios, entry.limit, entry.seconds) for entry in rows]


def opened(checkpoint: Checkpoint, dtype: torch.dtype) -> Any:
    return load(checkpoint, Device(torch.device("cpu"), dtype))


def timed(way: Callable[[], Any]) -> Timed:
    """What was made goes away before the next one is timed."""

    def run() -> float:
        gc.collect()
        begin = time.perf_counter()
        made = way()
        seconds = time.perf_counter() - begin
        del made
        return seconds

    return run


def peak(way: Callable[[], Any]) -> float:
    """Most memory that was resident meanwhile, above what was before, in GB. Pages of a mapped file count once they are touched."""
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    made = way()
    most = resident("VmHWM")
    del made
    return most - before


def resident(which: str) -> float:
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return next(int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith(which))
