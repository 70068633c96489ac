"""The size at which a preprocessor works, and the margins that networks need."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Number = TypeVar("Number", bound=np.generic)

LONGEST = 4096  # pixels of a side: a banner of 10 x 4000 would otherwise take all memory


def at_resolution(pixels: Pixels, resolution: int) -> Pixels:
    """Its shorter side at `resolution` pixels, the longer at most `LONGEST`; resampled as controlnet-aux does."""
    height, width = pixels.shape[:2]
    share = min(resolution / min(height, width), LONGEST / max(height, width))
    size = max(1, round(width * share)), max(1, round(height * share))
    if size == (width, height):
        return pixels
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_LANCZOS4 if share > 1 else cv2.INTER_AREA), np.uint8)


def in_blocks(pixels: Pixels, run: Callable[[Pixels], NDArray[Number]], side: int = 64) -> NDArray[Number]:
    """What `run` makes of the picture with both sides rounded up to a multiple of `side`, cut back to the picture.

    The margins repeat the border, so that nothing is distorted (sd-webui-controlnet does so; controlnet-aux stretches).
    """
    height, width = pixels.shape[:2]
    wide = np.pad(pixels, ((0, -height % side), (0, -width % side), (0, 0)), mode="edge")
    return run(wide)[:height, :width]


def darkest(values: NDArray[Number]) -> NDArray[Number]:
    """(h, w): the least of the three channels. Several times as fast as `min(axis=2)`."""
    return np.minimum(np.minimum(values[..., 0], values[..., 1]), values[..., 2])


def eight_bits(values: NDArray[np.floating]) -> Pixels:
    """0 .. 1 as 0 .. 255, cut down to whole numbers as controlnet-aux does."""
    return (np.asarray(values) * 255.0).clip(0, 255).astype(np.uint8)
