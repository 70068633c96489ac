"""No preprocessor: the picture is the map."""

from __future__ import annotations

from pipelines.preprocessors.resolution import Pixels


def picture(pixels: Pixels) -> Pixels:
    return pixels
