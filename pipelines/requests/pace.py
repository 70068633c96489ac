"""The pace of a LoRA: how its strength changes over the steps of a run, as SD.Next and the extension loractl write it.

0@0, 1@0.5        nothing at the beginning, all from the middle on; between two places in a straight line
1@0, 1@8, 0@9     places beyond 1 are steps, counted from 0; up to 1 they are shares of the way from the first step to the last
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from models.errors import UserError

STRONGEST = 4.0  # times the strength
MOST_POINTS = 20
POINT = re.compile(r"\s*([+-]?(?:\d{1,4}\.?\d{0,8}|\.\d{1,8}))(?:\s*[@~]\s*(\d{1,4}(?:\.\d{0,8})?|\.\d{1,8}))?\s*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Pace:
    """Points in order of their places: (place, factor of the strength)."""

    points: tuple[tuple[float, float], ...]

    def at(self, index: int, run: int) -> float:
        """The factor at a step, from 0, of `run` that are made."""
        place = float(index) if self.points[-1][0] > 1 else index / max(1, run - 1)
        before = [point for point in self.points if point[0] <= place][-1:]
        behind = [point for point in self.points if point[0] > place][:1]
        if not before or not behind:
            return (before or behind)[0][1]
        (start, low), (end, high) = before[0], behind[0]
        return low + (high - low) * (place - start) / (end - start)


def points_of(text: str) -> tuple[tuple[float, float], ...]:
    """(place, number) each, in order of their places; a place that is not written is 1. Raises `UserError` for what is none."""
    parts = re.split("[,;]", text)
    found = [POINT.fullmatch(part) for part in parts]
    if len(parts) > MOST_POINTS or not all(found):
        said = f"“{text.strip()[:40]}” is not a weight that changes over the steps"
        raise UserError(f"{said}. Write up to {MOST_POINTS} like 0@0, 1@0.5: a weight @ a share of the steps, or @ a step.")
    points = [(float(match[2] or 1), float(match[1])) for match in found if match]
    return tuple(sorted(points, key=lambda point: point[0]))


def read_pace(text: str) -> Pace | None:
    """None for an empty text: the strength is the same throughout. Raises `UserError`."""
    if not text.strip():
        return None
    points = points_of(text)
    if any(abs(factor) > STRONGEST for _, factor in points):
        raise UserError(f"“{text.strip()[:40]}” goes beyond {STRONGEST:g} times the strength. Choose smaller numbers.")
    return Pace(points)


def shared(points: Sequence[tuple[float, float]]) -> tuple[float, str]:
    """Weights over the steps as one strength, the largest, and a pace of shares of it."""
    strongest = max((weight for _, weight in points), key=abs)
    if len({weight for _, weight in points}) == 1 or not strongest:
        return strongest, ""
    return strongest, ", ".join(f"{number(weight / strongest)}@{number(place)}" for place, weight in points)


def weights(strength: float, pace: str) -> str:
    """As a tag has them: what `shared` takes apart."""
    return ",".join(f"{number(strength * factor)}@{number(place)}" for place, factor in points_of(pace))


def number(value: float) -> str:
    return repr(round(float(value), 6)).removesuffix(".0")
