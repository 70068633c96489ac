"""Strokes from a difference of Gaussians, after Winnemöller et al., "XDoG" (2012), with the numbers of sd-webui-controlnet."""

from __future__ import annotations

import cv2
import numpy as np

from pipelines.preprocessors.resolution import Pixels, darkest

FINE, COARSE = 0.5, 5.0  # sigmas in pixels


def strokes(pixels: Pixels, threshold: float) -> Pixels:
    """White where the picture is darker than its surroundings, by half the threshold, in the channel where it is least so. (h, w)."""
    values = pixels.astype(np.float32)
    fine, coarse = cv2.GaussianBlur(values, (0, 0), FINE), cv2.GaussianBlur(values, (0, 0), COARSE)
    darker = 255 - (255 - darkest(coarse - fine)).clip(0, 255).astype(np.uint8).astype(int)
    return np.where(2 * darker > threshold, 255, 0).astype(np.uint8)
