"""Choosing among what was found: what is sure and large enough, the largest, in order, grown and moved.

The steps and their order are ADetailer's (https://github.com/Bing-su/adetailer), so that its settings mean the same here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from pipelines.images.masking import Box, Size
from pipelines.requests.details import Detailer, inside


@dataclass(frozen=True, slots=True)
class Found:
    """Something that a detector sees. `confidence`: 0 .. 1."""

    box: Box
    confidence: float = 1.0
    label: str = ""  # what it is, where the detector knows

    @property
    def area(self) -> int:
        return max(0, self.box[2] - self.box[0]) * max(0, self.box[3] - self.box[1])

    @property
    def middle(self) -> tuple[float, float]:
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


def chosen(found: Sequence[Found], detailer: Detailer, size: Size) -> list[Found]:
    """Those that are drawn anew, in their order. `size`: of the picture. What comes to lie outside it is left out."""
    cut = [replace(each, box=box) for each in found if (box := inside(each.box, size))]
    whole = size[0] * size[1]
    counted = [
        each
        for each in cut
        if each.confidence >= detailer.confidence and detailer.smallest <= each.area / whole <= detailer.largest
    ]  # fmt: skip
    largest = sorted(counted, key=_by_area)[: detailer.most or None]
    return [replace(each, box=box) for each in ordered(largest, detailer.order, size) if (box := _placed(each.box, detailer, size))]


def ordered(found: Sequence[Found], order: str, size: Size) -> list[Found]:
    """By one of ORDERS. Equal ones stay as they stand."""
    middle = size[0] / 2, size[1] / 2
    keys: Mapping[str, Callable[[Found], float]] = {
        "Left to right": lambda each: each.box[0],
        "Centre first": lambda each: math.dist(each.middle, middle),
        "Largest first": _by_area,
    }
    return sorted(found, key=keys[order])


def grown(box: Box, by: int) -> Box | None:
    """What `cv2.dilate` makes of a filled rectangle with a square kernel of `by` pixels, and `cv2.erode` below 0; None for nothing."""
    size = abs(by)
    before, after = (size - 1 - size // 2, size // 2) if size else (0, 0)
    if by < 0:
        before, after = -after, -before
    left, top, right, bottom = box[0] - before, box[1] - before, box[2] + after, box[3] + after
    return (left, top, right, bottom) if left < right and top < bottom else None


def _by_area(each: Found) -> float:
    return -each.area


def _placed(box: Box, detailer: Detailer, size: Size) -> Box | None:
    """Moved, then grown, as ADetailer does."""
    across, down = detailer.across, detailer.down
    moved = inside((box[0] + across, box[1] + down, box[2] + across, box[3] + down), size)
    wider = grown(moved, detailer.grow) if moved else None
    return inside(wider, size) if wider else None
