"""Values of one small tensor, without torch: what a recogniser asks beyond names and shapes."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from models.tensors.header import Header, without_waiting

MOST_VALUES = 4096  # of a tensor that is read with its header


def read_values(file: Path, header: Header, name: str) -> list[float]:
    """The numbers of one small tensor of any floating type that networks come in; none when there is none of at most 4096 numbers.

    None, too, when the file is gone or shorter by now: whoever loads it will say so.
    """
    info = header.tensors.get(name)
    if info is None or info.dtype not in DECODED or math.prod(info.shape) > MOST_VALUES:
        return []
    try:
        with open(file, "rb", opener=without_waiting) as stream:
            stream.seek(header.data_start + info.begin)
            data = stream.read(info.end - info.begin)
    except OSError:
        return []
    if len(data) != info.end - info.begin:  # cut short since its header was read
        return []
    return DECODED[info.dtype](data)


def _unpacked(data: bytes, letter: str) -> list[float]:
    return [value for (value,) in struct.iter_unpack(f"<{letter}", data)]


def _upper_halves(data: bytes, size: int, letter: str) -> list[float]:
    """Numbers that are the upper bytes of larger ones."""
    return _unpacked(b"".join(bytes(size) + data[place : place + size] for place in range(0, len(data), size)), letter)


def _e4m3(code: int) -> float:
    """Micikevicius et al. 2022 (arXiv:2209.05433): a sign, four bits of exponent, three of fraction; no infinities."""
    exponent, fraction = code >> 3 & 15, code & 7
    size = math.ldexp(fraction, -9) if exponent == 0 else math.ldexp(8 + fraction, exponent - 10)
    return math.nan if code & 127 == 127 else -size if code > 127 else size


DECODED: Mapping[str, Callable[[bytes], list[float]]] = {
    "F64": partial(_unpacked, letter="d"),
    "F32": partial(_unpacked, letter="f"),
    "F16": partial(_unpacked, letter="e"),
    "BF16": partial(_upper_halves, size=2, letter="f"),
    "F8_E5M2": partial(_upper_halves, size=1, letter="e"),
    "F8_E4M3": lambda data: [_e4m3(code) for code in data],
}
