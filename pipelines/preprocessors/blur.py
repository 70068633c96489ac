"""A Gaussian blur."""

from __future__ import annotations

import cv2
import numpy as np

from pipelines.preprocessors.resolution import Pixels


def blurred(pixels: Pixels, sigma: float) -> Pixels:
    """`sigma` in pixels of the map. (h, w, 3)."""
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)
