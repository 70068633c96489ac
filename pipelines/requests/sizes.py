"""Sizes that can be drawn, in pixels."""

from __future__ import annotations

SHORTEST, LONGEST = 64, 4096  # of a side
MEGAPIXELS = 4.2  # the largest area of one picture; a larger one comes with upscaling
