"""The control map: what a unit's model sees of its picture, at the drawing's size. The page shows the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.images.decode import eight_bits
from pipelines.images.masking import Size
from pipelines.preprocessors import DrawnIn, preprocess, preprocessor
from pipelines.requests.control_unit import ControlUse

if TYPE_CHECKING:
    from pipelines.preprocessors.annotators import Annotator

Pixels = NDArray[np.uint8]
Part = tuple[float, float, float, float]  # left, top, right, bottom in pixels of the picture, not always whole ones

RESOLUTIONS = 64, 2048  # as far as the request's own field reaches
FEW_COLOURS = 200  # a picture of fewer is a map of segments (sd-webui-controlnet, high_quality_resize)
FAINT = 64  # of 255: what is left of a thin line when it grows


def map_resolution(use: ControlUse, picture: Size, drawing: Size) -> int:
    """Pixels of the map's shorter side. When pixel perfect, just those that the drawing needs, as sd-webui-controlnet computes it."""
    if not use.pixel_perfect:
        return use.resolution
    shares = [drawn / side for drawn, side in zip(drawing, picture, strict=True)]
    share = min(shares) if use.resize_mode == "Fill" else max(shares)
    return min(max(round(share * min(picture)), RESOLUTIONS[0]), RESOLUTIONS[1])


def control_picture(
    use: ControlUse, picture: Image.Image, size: Size, annotator: Annotator | None = None, mask: Image.Image | None = None
) -> Image.Image:
    """The map, "RGB", of just the size (width, height). The same input makes the same map.

    `picture`: of any mode and size; transparent parts are white. `annotator`: of the preprocessor, when it needs weights. `mask`: "L",
    of the picture, 255 where it is drawn anew: for "Inpaint mask", whose map has black there (`inpaint_tensor` makes -1 of it).
    """
    plain, entry = as_rgb(picture), preprocessor(use.preprocessor)
    if entry.needs_mask:  # first to the size: blurred edges of the mask would be neither picture nor mask
        plain, mask = fitted(plain, size, use.resize_mode, "Shades"), mask and control_mask(use, mask, size)
    resolution = map_resolution(use, plain.size, size)
    drawn = preprocess(entry.name, plain, resolution, use.threshold_a, use.threshold_b, annotator, mask)
    return fitted(drawn, size, use.resize_mode, entry.drawn_in)


def control_mask(use: ControlUse, mask: Image.Image, size: Size) -> Image.Image:
    """A mask of the unit's picture, "L", 0 or 255, brought to the size as the picture is. What lies beyond the picture is masked."""
    part, inner, corner = _geometry(mask.size, size, use.resize_mode)
    whole = Image.new("L", size, 255)
    whole.paste(mask.convert("L").resize(inner, Image.Resampling.BILINEAR, part).point([0] * 128 + [255] * 128), corner)
    return whole


def as_rgb(picture: Image.Image) -> Image.Image:
    """8 bits a channel, transparent parts white."""
    if not picture.has_transparency_data:
        return eight_bits(picture).convert("RGB")
    layered = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), layered).convert("RGB")


# ---- to the drawing's size -----------------------------------------------------------------------------------------------------


def fitted(drawn: Image.Image, size: Size, resize_mode: str, drawn_in: DrawnIn) -> Image.Image:
    """An RGB map at the size, without losing what it says: colours of segments are not mixed, thin lines stay, and stay thin.

    "Fill" puts bars beside it in the usual colour of its border, as sd-webui-controlnet does: black beside lines, the far beside far
    depth. Drawing its border pixels outwards, as for pictures, would continue lines that are not there.
    """
    if drawn.size == size:
        return drawn
    part, inner, corner = _geometry(drawn.size, size, resize_mode)
    kind = _drawn_in(np.asarray(drawn)) if drawn_in == "Anything" else drawn_in
    whole = Image.new("RGB", size, _border_colour(np.asarray(drawn), kind))
    whole.paste(RESIZED[kind](drawn, inner, part), corner)
    return whole


def _geometry(old: Size, new: Size, resize_mode: str) -> tuple[Part, Size, tuple[int, int]]:
    """The part of the picture that is used, the size it comes to, and where its corner goes."""
    if resize_mode == "Fill":
        share = min(new[0] / old[0], new[1] / old[1])
        inner = max(1, round(old[0] * share)), max(1, round(old[1] * share))
        return (0, 0, *old), inner, ((new[0] - inner[0]) // 2, (new[1] - inner[1]) // 2)
    if resize_mode == "Stretch":
        return (0, 0, *old), new, (0, 0)
    share = max(new[0] / old[0], new[1] / old[1])
    across, down = min(new[0] / share, old[0]), min(new[1] / share, old[1])
    left, top = (old[0] - across) / 2, (old[1] - down) / 2
    return (left, top, left + across, top + down), new, (0, 0)


def _border_colour(pixels: Pixels, kind: DrawnIn) -> tuple[int, ...]:
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    if kind == "Colours":  # a mean of two segments is a third one
        colours, counts = np.unique(border, axis=0, return_counts=True)
        return tuple(int(value) for value in colours[counts.argmax()])
    return tuple(int(value) for value in np.median(border, axis=0))


def _drawn_in(pixels: Pixels) -> DrawnIn:
    """Told from the picture, for maps that somebody puts in."""
    packed = pixels.astype(np.uint32) @ np.array([65536, 256, 1], np.uint32)
    if len(np.unique(packed.ravel()[::17])) >= FEW_COLOURS:
        return "Shades"
    colours = np.unique(packed)
    if colours.tolist() == [0, 0xFFFFFF]:
        return "Black and white"
    grey = (pixels == pixels[..., :1]).all()
    few = len(colours) < min(FEW_COLOURS, packed.size / 16)  # a tiny photograph has few colours too
    return "Colours" if few and not grey else "Shades"


# ---- resizing ------------------------------------------------------------------------------------------------------------------


def _shades(drawn: Image.Image, size: Size, part: Part) -> Image.Image:
    return drawn.resize(size, Image.Resampling.LANCZOS, part)


def _colours(drawn: Image.Image, size: Size, part: Part) -> Image.Image:
    return drawn.resize(size, Image.Resampling.NEAREST, part)


def _black_and_white(drawn: Image.Image, size: Size, part: Part) -> Image.Image:
    """Only black and white again. Where most of the white is lines of a pixel or so, they stay lines of one pixel, whatever the size."""
    white = np.asarray(drawn.convert("L")) > 127
    smaller = size[0] < part[2] - part[0] or size[1] < part[3] - part[1]
    values = Image.fromarray(white.astype(np.float32) * 255)
    grown = np.asarray(values.resize(size, Image.Resampling.BOX if smaller else Image.Resampling.BICUBIC, part))
    if not _is_thin(white):
        bright = grown > 127
    elif smaller:
        bright = _thinned(grown > 0)  # whatever a line touches
    else:
        bright = _thinned(grown > FAINT)
    return Image.fromarray(bright.astype(np.uint8) * 255).convert("RGB")


def _is_thin(white: NDArray[np.bool_]) -> bool:
    """Whether more than half of it goes when everything narrower than three pixels does (sd-webui-controlnet)."""
    kept = cv2.morphologyEx(white.astype(np.uint8), cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    return 2 * int(kept.sum()) < int(white.sum())


def _thinned(white: NDArray[np.bool_]) -> NDArray[np.bool_]:
    from skimage.morphology import skeletonize

    return skeletonize(white)


RESIZED: dict[DrawnIn, Callable[[Image.Image, Size, Part], Image.Image]] = {
    "Shades": _shades,
    "Colours": _colours,
    "Black and white": _black_and_white,
}
