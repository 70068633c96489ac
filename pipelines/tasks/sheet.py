"""A sheet: pictures of one size on one. No torch."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image


def sheet_of(images: Sequence[Image.Image]) -> Image.Image:
    """Row by row, as square as it goes; what is left over stays white."""
    width, height = images[0].size
    columns = next(count for count in range(1, len(images) + 1) if count * count >= len(images))
    sheet = Image.new("RGB", (width * columns, height * -(-len(images) // columns)), "white")
    for place, image in enumerate(images):
        sheet.paste(image, (place % columns * width, place // columns * height))
    return sheet
