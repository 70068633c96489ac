"""A picture whose edges join, with a strip of what lies beyond each, for what reads it piece by piece."""

from __future__ import annotations

import numpy as np
from PIL import Image

STRIP = 16  # pixels


def wrapped(image: Image.Image, across: bool, down: bool) -> tuple[Image.Image, int, int]:
    """The picture with its strips, and how wide they are at the sides, and above and below: 0 where the edges do not join."""
    if not across and not down:
        return image, 0, 0
    sides, ends = STRIP * across, STRIP * down
    return Image.fromarray(np.pad(np.asarray(image), ((ends, ends), (sides, sides), (0, 0)), "wrap")), sides, ends
