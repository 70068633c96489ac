"""A smaller picture, which grows back to the drawing's size without its details (ControlNet 1.1, tile)."""

from __future__ import annotations

import cv2
import numpy as np

from pipelines.preprocessors.resolution import Pixels


def smaller(pixels: Pixels, times: float) -> Pixels:
    """Each side divided by `times`, at least one pixel. Below 1.1 it stays as it is, as in sd-webui-controlnet."""
    if times < 1.1:
        return pixels
    height, width = (max(1, int(side / times)) for side in pixels.shape[:2])
    return np.asarray(cv2.resize(pixels, (width, height), interpolation=cv2.INTER_AREA), np.uint8)
