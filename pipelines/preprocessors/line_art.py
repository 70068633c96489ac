"""Strokes that are darker than what surrounds them; the "standard" line art of sd-webui-controlnet and controlnet-aux."""

from __future__ import annotations

import cv2
import numpy as np

from pipelines.preprocessors.resolution import Pixels, darkest

LEAST = 16  # so that the noise of a plain surface is not blown up to strokes


def strokes(pixels: Pixels, sigma: float, threshold: float) -> Pixels:
    """Bright strokes on black, half bright where they are as strong as the median of those beyond `threshold`. (h, w)."""
    values = pixels.astype(np.float32)
    darker = darkest(cv2.GaussianBlur(values, (0, 0), sigma) - values).clip(0, 255)
    strong = darker[darker > threshold]
    typical = max(LEAST, float(np.median(strong))) if strong.size else LEAST
    return (darker / np.float32(typical) * 127).clip(0, 255).astype(np.uint8)
