"""Tiny ONNX detectors, written as protocol buffers by hand: real networks whose answers are known.

`red_finder` answers as YOLO does: its anchors are squares of `CELL` pixels, and it is as sure of each as the square is red.
`face_finder` has the outputs of YuNet and sees a face wherever a square is red.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

SIDE, CELL = 64, 8
FLOAT, INT64 = 1, 7  # numbers of types
INTS, INT = 7, 2  # kinds of attributes


def _varint(number: int) -> bytes:
    out = bytearray()
    while True:
        out.append(number & 127 | (128 if number > 127 else 0))
        number >>= 7
        if not number:
            return bytes(out)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _bytes(field: int, value: bytes | str) -> bytes:
    held = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(held)) + held


def tensor(name: str, values: NDArray[np.generic]) -> bytes:
    """A constant of the graph."""
    kind = FLOAT if values.dtype == np.float32 else INT64
    return b"".join(_number(1, side) for side in values.shape) + _number(2, kind) + _bytes(8, name) + _bytes(9, values.tobytes())


def port(name: str, sides: Sequence[int | str]) -> bytes:
    """An input or an output; a side that is a word is free."""
    dimensions = b"".join(_bytes(1, _number(1, side) if isinstance(side, int) else _bytes(2, side)) for side in sides)
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, FLOAT) + _bytes(2, dimensions)))


def node(kind: str, inputs: Sequence[str], output: str, **attributes: int | Sequence[int]) -> bytes:
    own = b"".join(_bytes(1, each) for each in inputs) + _bytes(2, output) + _bytes(3, f"make {output}") + _bytes(4, kind)
    for name, value in attributes.items():
        many = [value] if isinstance(value, int) else value
        numbers = b"".join(_number(3 if isinstance(value, int) else 8, each) for each in many)
        held = numbers + _number(20, INT if isinstance(value, int) else INTS)
        own += _bytes(5, _bytes(1, name) + held)
    return own


def model(nodes: Sequence[bytes], constants: Sequence[bytes], inputs: Sequence[bytes], outputs: Sequence[bytes], **metadata: str) -> bytes:
    graph = b"".join(_bytes(1, each) for each in nodes) + _bytes(2, "toy") + b"".join(_bytes(5, each) for each in constants)
    graph += b"".join(_bytes(11, each) for each in inputs) + b"".join(_bytes(12, each) for each in outputs)
    noted = b"".join(_bytes(14, _bytes(1, key) + _bytes(2, value)) for key, value in metadata.items())
    return _number(1, 8) + _bytes(7, graph) + _bytes(8, _bytes(1, "") + _number(2, 13)) + noted


def redness(cell: int, order: Sequence[int] = (0, 1, 2), scale: float = 1.0) -> NDArray[np.float32]:
    """Weights (1, 3, cell, cell): the mean of red less half of green and half of blue."""
    weights = np.zeros((1, 3, cell, cell), np.float32)
    for channel, share in zip(order, (1.0, -0.5, -0.5), strict=True):
        weights[:, channel] = share * scale / cell**2
    return weights


def red_finder(path: Path, side: int = SIDE, free: bool = False, **metadata: str) -> Path:
    """(1, 3, side, side), 0 .. 1 -> (1, 5, anchors)."""
    across = side // CELL
    middles = np.stack(np.meshgrid(*[np.arange(across) * CELL + CELL / 2] * 2)).reshape(2, -1)
    squares = np.concatenate([middles, np.full_like(middles, CELL)])[None].astype(np.float32)
    nodes = [
        node("Conv", ["images", "weights"], "red", kernel_shape=[CELL, CELL], strides=[CELL, CELL]),
        node("Reshape", ["red", "shape"], "sure"),
        node("Concat", ["squares", "sure"], "output0", axis=1),
    ]
    constants = [tensor("weights", redness(CELL)), tensor("shape", np.array([1, 1, -1], np.int64)), tensor("squares", squares)]
    sides: list[int | str] = [1, 3, "height", "width"] if free else [1, 3, side, side]
    path.write_bytes(model(nodes, constants, [port("images", sides)], [port("output0", [1, 5, across**2])], **metadata))
    return path


def face_finder(path: Path) -> Path:
    """Reads blue, green, red in 0 .. 255, as OpenCV gives them; its boxes are the cells of each stride."""
    nodes: list[bytes] = []
    constants: list[bytes] = []
    outputs: list[bytes] = []
    for stride in (8, 16, 32):
        for kind, channels in (("cls", 1), ("obj", 1), ("bbox", 4), ("kps", 10)):
            name = f"{kind}_{stride}"
            weights = redness(stride, (2, 1, 0), 1 / 255) if channels == 1 else np.zeros((channels, 3, stride, stride), np.float32)
            constants += [tensor(f"w {name}", weights), tensor(f"s {name}", np.array([1, channels, -1], np.int64))]
            nodes.append(node("Conv", ["input", f"w {name}"], f"c {name}", kernel_shape=[stride, stride], strides=[stride, stride]))
            nodes.append(node("Reshape", [f"c {name}", f"s {name}"], f"r {name}"))
            nodes.append(node("Transpose", [f"r {name}"], name, perm=[0, 2, 1]))
            outputs.append(port(name, [1, (SIDE // stride) ** 2, channels]))
    path.write_bytes(model(nodes, constants, [port("input", [1, 3, SIDE, SIDE])], outputs))
    return path


def half(path: Path) -> Path:
    """The file, cut off in its middle."""
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path
