"""Tensors beside those of a network, in every number type that the format has: counters, notes, averages, things of tomorrow."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path

from models.tensors.header import BITS

SHAPES = ((), (0,), (8,), (8, 16))


def with_strangers(file: Path, *prefixes: str) -> Path:
    """The same file with such tensors under these prefixes, all bits of their numbers set: whoever reads one as a weight has no number."""
    data = file.read_bytes()
    length = int.from_bytes(data[:8], "little")
    table, tensors = json.loads(data[8 : 8 + length]), data[8 + length :]
    end = len(tensors)
    for name, dtype, shape in _strangers(prefixes):
        size = math.prod(shape) * BITS[dtype] // 8
        table[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    header = json.dumps(table).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header + tensors + b"\xff" * (end - len(tensors)))
    return file


def _strangers(prefixes: Sequence[str]) -> list[tuple[str, str, tuple[int, ...]]]:
    every = [(dtype, shape) for dtype in BITS for shape in SHAPES if math.prod(shape) * BITS[dtype] % 8 == 0]
    names = [(f"num_updates_{place}", *kind) for place, kind in enumerate(every)]
    names += [(f"ratio_{place}.scale", *kind) for place, kind in enumerate(every)]  # called as a factor of a LoRA is
    return [(prefix + name, dtype, shape) for prefix in prefixes for name, dtype, shape in names]
