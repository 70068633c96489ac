"""Masks of details: what of a picture is drawn anew in each box, or in all of them together."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageChops

from pipelines.images.masking import Box, Size


def box_mask(box: Box, size: Size, painted: Image.Image | None = None) -> Image.Image:
    """255 where the box is, of a picture of this size. Where something is painted in the box, that alone."""
    mask = Image.new("L", size)
    mask.paste(255, box)
    if painted is None:
        return mask
    within = ImageChops.multiply(mask, painted)
    return within if within.getbbox() else mask


def joined(boxes: Sequence[Box], size: Size, painted: Image.Image | None = None) -> Image.Image:
    """The masks of all boxes in one."""
    mask = Image.new("L", size)
    for box in boxes:
        mask = ImageChops.lighter(mask, box_mask(box, size, painted))
    return mask


def all_but(mask: Image.Image) -> Image.Image:
    return ImageChops.invert(mask)
