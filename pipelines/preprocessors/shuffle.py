"""The picture stirred by a smooth random flow (ControlNet 1.1, shuffle), the same way each time."""

from __future__ import annotations

import hashlib

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.preprocessors.resolution import Pixels

GRAIN = 256  # pixels between two random numbers of the flow


def stirred(pixels: Pixels) -> Pixels:
    """Each pixel shows another one's colour; neighbours come from neighbouring places. (h, w, 3)."""
    height, width = pixels.shape[:2]
    numbers = np.random.RandomState(seed_of(pixels))
    across = (_smooth_noise(numbers, height, width) * (width - 1)).astype(np.float32)
    down = (_smooth_noise(numbers, height, width) * (height - 1)).astype(np.float32)
    return np.asarray(cv2.remap(pixels, across, down, cv2.INTER_LINEAR), np.uint8)


def seed_of(pixels: Pixels) -> int:
    """From the picture, so that another one is stirred another way, and this one always the same."""
    return int.from_bytes(hashlib.sha256(repr(pixels.shape).encode() + pixels.tobytes()).digest()[:4], "big")


def _smooth_noise(numbers: np.random.RandomState, height: int, width: int) -> NDArray[np.float64]:
    """0 .. 1, both reached."""
    coarse = numbers.uniform(0, 1, (height // GRAIN + 2, width // GRAIN + 2, 1))
    smooth = cv2.resize(coarse, (width + 2 * GRAIN, height + 2 * GRAIN), interpolation=cv2.INTER_CUBIC)
    inner = smooth[GRAIN : GRAIN + height, GRAIN : GRAIN + width]
    return (inner - inner.min()) / max(float(np.ptp(inner)), 1e-12)
