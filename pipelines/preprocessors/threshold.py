"""Bright and dark, and nothing between."""

from __future__ import annotations

import numpy as np

from pipelines.preprocessors.resolution import Pixels, darkest


def bright(pixels: Pixels, threshold: float) -> Pixels:
    """White where every channel is beyond `threshold`. (h, w)."""
    return np.where(darkest(pixels) > threshold, 255, 0).astype(np.uint8)
