"""Black for white: control models read bright lines on black."""

from __future__ import annotations

from pipelines.preprocessors.resolution import Pixels


def inverted(pixels: Pixels) -> Pixels:
    return 255 - pixels
