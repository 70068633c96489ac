"""Tiles of a picture: where they lie along a side, and how those beside each other blend."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ALIGNED = 16  # pixels: tiles begin at multiples, so that the windows of transformers lie where they would in the whole picture


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a side, in pixels. It counts in full between its seams, and by a straight ramp in them."""

    start: int
    end: int
    rising: int  # where its first ramp begins
    falling: int  # where its last ramp begins
    overlap: int  # length of a ramp
    is_first: bool
    is_last: bool

    def weights(self, scale: int) -> NDArray[np.float32]:
        """One for each pixel that comes of it, (scale * (end - start),): with those of its neighbours they add up to 1."""
        places = (np.arange(self.start * scale, self.end * scale, dtype=np.float32) + 0.5) / scale
        up = np.ones_like(places) if self.is_first else self._ramp(places - self.rising)
        down = np.ones_like(places) if self.is_last else 1 - self._ramp(places - self.falling)
        return np.asarray(up * down, np.float32)

    def _ramp(self, places: NDArray[np.floating]) -> NDArray[np.floating]:
        """From 0 to 1 over the middle half of the overlap: what lies at the very edge of a tile knows least of what is beyond."""
        return np.clip((places - self.overlap / 4) / max(self.overlap / 2, 1e-3), 0, 1)


def spans(length: int, tile: int, overlap: int, multiple: int = 1) -> list[Span]:
    """Stretches of at most `tile` pixels, as long as each other, that cover a side and overlap by `overlap` pixels or more.

    `multiple`: of what their beginnings are, beside `ALIGNED`.
    """
    if length <= tile:
        return [Span(0, length, 0, length, 0, True, True)]
    step = math.lcm(ALIGNED, multiple)
    overlap = min(overlap, tile // 2)
    stride = max(step, (tile - overlap) // step * step)
    stride = -(-math.ceil((length - overlap) / math.ceil((length - overlap) / stride)) // step) * step
    count = math.ceil((length - overlap) / stride)
    return [_span(length, number, count, stride, overlap, step) for number in range(count)]


def _span(length: int, number: int, count: int, stride: int, overlap: int, step: int) -> Span:
    """The last one sees as much as the others; what is more than its share does not count."""
    seam, is_last = number * stride, number == count - 1
    start = max(0, -((stride + overlap - length) // step) * step) if is_last else seam
    return Span(start, min(seam + stride + overlap, length), seam, seam + stride, overlap, number == 0, is_last)
