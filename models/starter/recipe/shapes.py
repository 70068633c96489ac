"""The silhouettes of the things in a scene, as polygons with a paint each.

Local units: x from -0.5 to 0.5, y from 0 at the foot upwards; a thing is about 1 wide.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
"""(N, 2) corners of a polygon."""


@dataclass(frozen=True)
class Piece:
    """A polygon of a shape and the paint it takes: main, dark, light, or a colour of its own."""

    points: Points
    paint: str


def _poly(paint: str, *points: tuple[float, float]) -> Piece:
    return Piece(np.array(points, dtype=np.float64), paint)


def _box(paint: str, x0: float, y0: float, x1: float, y1: float) -> Piece:
    return _poly(paint, (x0, y0), (x1, y0), (x1, y1), (x0, y1))


def oval(paint: str, x: float, y: float, rx: float, ry: float, turn: tuple[float, float] = (0.0, 1.0)) -> Piece:
    """An ellipse, or the part of it between two fractions of a turn."""
    angle = np.linspace(turn[0], turn[1], 40) * 2 * math.pi
    return Piece(np.stack([x + rx * np.cos(angle), y + ry * np.sin(angle)], axis=1), paint)


def _house() -> list[Piece]:
    return [
        _box("main", -0.40, 0.0, 0.40, 0.55),
        _poly("dark", (-0.50, 0.53), (0.50, 0.53), (0.0, 1.0)),
        _box("door", -0.10, 0.0, 0.10, 0.32),
        _box("lamp", -0.32, 0.22, -0.17, 0.40),
        _box("lamp", 0.17, 0.22, 0.32, 0.40),
    ]


def _tree() -> list[Piece]:
    return [
        _box("trunk", -0.08, 0.0, 0.08, 0.40),
        oval("main", -0.20, 0.52, 0.26, 0.22),
        oval("main", 0.20, 0.52, 0.26, 0.22),
        oval("main", 0.0, 0.74, 0.30, 0.28),
    ]


def _car() -> list[Piece]:
    return [
        _poly("main", (-0.28, 0.34), (0.30, 0.34), (0.18, 0.60), (-0.18, 0.60)),
        _poly("glass", (-0.20, 0.36), (-0.02, 0.36), (-0.02, 0.55), (-0.14, 0.55)),
        _poly("glass", (0.03, 0.36), (0.22, 0.36), (0.14, 0.55), (0.03, 0.55)),
        _box("main", -0.50, 0.12, 0.50, 0.37),
        oval("wheel", -0.27, 0.12, 0.12, 0.12),
        oval("wheel", 0.27, 0.12, 0.12, 0.12),
    ]


def _boat() -> list[Piece]:
    return [
        _box("trunk", -0.03, 0.2, 0.03, 0.98),
        _poly("light", (0.06, 0.30), (0.42, 0.30), (0.06, 0.95)),
        _poly("light", (-0.06, 0.30), (-0.30, 0.30), (-0.06, 0.78)),
        _poly("main", (-0.50, 0.26), (0.50, 0.26), (0.32, 0.0), (-0.32, 0.0)),
    ]


def _ball() -> list[Piece]:
    return [oval("main", 0.0, 0.42, 0.42, 0.42), oval("light", -0.14, 0.58, 0.12, 0.09)]


def _cube() -> list[Piece]:
    return [
        _poly("dark", (0.20, 0.0), (0.46, 0.20), (0.46, 0.82), (0.20, 0.62)),
        _poly("light", (-0.44, 0.62), (0.20, 0.62), (0.46, 0.82), (-0.18, 0.82)),
        _box("main", -0.44, 0.0, 0.20, 0.62),
    ]


def _cone() -> list[Piece]:
    return [
        _box("dark", -0.44, 0.0, 0.44, 0.09),
        _poly("main", (-0.34, 0.09), (0.34, 0.09), (0.04, 1.0), (-0.04, 1.0)),
        _poly("cream", (-0.235, 0.38), (0.235, 0.38), (0.175, 0.56), (-0.175, 0.56)),
    ]


def _mushroom() -> list[Piece]:
    return [
        _poly("cream", (-0.14, 0.0), (0.14, 0.0), (0.11, 0.46), (-0.11, 0.46)),
        oval("main", 0.0, 0.42, 0.48, 0.46, (0.0, 0.5)),
        oval("cream", -0.22, 0.58, 0.08, 0.07),
        oval("cream", 0.05, 0.72, 0.09, 0.07),
        oval("cream", 0.27, 0.54, 0.07, 0.06),
    ]


def _tower() -> list[Piece]:
    return [
        _box("main", -0.20, 0.0, 0.20, 1.05),
        _box("dark", -0.27, 0.98, 0.27, 1.15),
        _box("dark", -0.27, 1.14, -0.13, 1.26),
        _box("dark", -0.07, 1.14, 0.07, 1.26),
        _box("dark", 0.13, 1.14, 0.27, 1.26),
        _box("door", -0.08, 0.0, 0.08, 0.22),
        _box("lamp", -0.07, 0.62, 0.07, 0.80),
    ]


def _flower() -> list[Piece]:
    turns = [(0.25 + number / 6) * 2 * math.pi for number in range(6)]
    petals = [oval("main", 0.25 * math.cos(turn), 0.68 + 0.25 * math.sin(turn), 0.15, 0.15) for turn in turns]
    stem = [
        _box("leaf", -0.035, 0.0, 0.035, 0.45),
        oval("leaf", -0.17, 0.14, 0.15, 0.07),
        oval("leaf", 0.17, 0.14, 0.15, 0.07),
    ]
    return [*stem, *petals, oval("gold", 0.0, 0.68, 0.15, 0.15)]


SHAPES: dict[str, Callable[[], list[Piece]]] = {
    "house": _house,
    "tree": _tree,
    "car": _car,
    "boat": _boat,
    "ball": _ball,
    "cube": _cube,
    "cone": _cone,
    "mushroom": _mushroom,
    "tower": _tower,
    "flower": _flower,
}
