"""Outlines by Canny, "A Computational Approach to Edge Detection" (1986), as ControlNet's Canny models were trained on them."""

from __future__ import annotations

import cv2
import numpy as np

from pipelines.preprocessors.resolution import Pixels


def edges(pixels: Pixels, low: float, high: float) -> Pixels:
    """White outlines of one pixel: gradients beyond `high`, and those beyond `low` that touch them. (h, w)."""
    return np.asarray(cv2.Canny(pixels, low, high), np.uint8)
