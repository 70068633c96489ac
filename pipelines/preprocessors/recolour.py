"""The picture in greys, for models that colour it anew."""

from __future__ import annotations

import cv2
import numpy as np

from pipelines.preprocessors.resolution import Pixels, darkest


def luminance(pixels: Pixels, gamma: float) -> Pixels:
    """L of CIE L*a*b*: as bright as it looks. (h, w)."""
    return _bent(np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)[:, :, 0], np.uint8), gamma)


def intensity(pixels: Pixels, gamma: float) -> Pixels:
    """V of HSV: the brightest channel. (h, w)."""
    return _bent(255 - darkest(255 - pixels), gamma)


def _bent(grey: Pixels, gamma: float) -> Pixels:
    return ((grey.astype(np.float32) / 255) ** np.float32(gamma) * 255).round().clip(0, 255).astype(np.uint8)
