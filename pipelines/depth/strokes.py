"""Painted strokes of grey over a depth map. The map keeps its 16 bits wherever nothing was painted. No torch."""

from __future__ import annotations

from PIL import Image

from pipelines.depth.depth_map import Map, to_map, to_picture
from pipelines.images.decode import normalise


def painted(depth: Image.Image, strokes: bytes) -> Image.Image:
    """The map, "I;16", with the strokes on it: a picture file whose brightness is the depth and whose alpha says how much of it counts.

    Strokes of another size are scaled to the map. Raises `UserError` for what is no picture.
    """
    found = normalise(strokes, background=(0, 0, 0))  # so that the colours come multiplied by their alpha
    drawn = _of_size(found.image.convert("L"), depth)
    if found.alpha is None:
        return to_picture(drawn)
    return to_picture(to_map(depth) * (1 - _of_size(found.alpha, depth)) + drawn)


def _of_size(layer: Image.Image, depth: Image.Image) -> Map:
    """Bilinear: a sharper filter would leave faint rings around each stroke."""
    return to_map(layer if layer.size == depth.size else layer.resize(depth.size, Image.Resampling.BILINEAR))
