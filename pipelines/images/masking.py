"""Masks and resizing: the part that is drawn, and how it comes back into the picture. No torch, no weights.

The page asks `crop_box` for what it shows before a run, and the recipe asks it for what it draws: one truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; the last two are beyond the box
Size = tuple[int, int]  # width, height

FILL_BLURS = ((256, 1), (64, 1), (16, 2), (4, 4), (2, 2), (0, 1))  # radius, how often: A1111 1.10, modules/masking.py `fill`


# ---- to the size that is drawn -----------------------------------------------------------------------------------------------


def scaled(image: Image.Image, size: Size) -> Image.Image:
    return image if image.size == size else image.resize(size, Image.Resampling.LANCZOS)


def crop(image: Image.Image, size: Size) -> Image.Image:
    """Fills the size; what stands out on two sides is cut off."""
    return image if image.size == size else ImageOps.fit(image, size, Image.Resampling.LANCZOS)


def fill_out(image: Image.Image, size: Size) -> Image.Image:
    """The whole picture in the middle; its border pixels are drawn outwards over what is left."""
    if image.size == size:
        return image
    share = min(size[0] / image.width, size[1] / image.height)
    inner = scaled(image, (max(1, round(image.width * share)), max(1, round(image.height * share))))  # a thin one stays one pixel thin
    across, down = size[0] - inner.width, size[1] - inner.height
    return stretched_edges(inner, (across // 2, down // 2, across - across // 2, down - down // 2))


def stretched_edges(image: Image.Image, margins: Box) -> Image.Image:
    """Wider by the margins (left, top, right, bottom), into which the border pixels are repeated."""
    left, top, right, bottom = margins
    values = np.asarray(image)
    widths = [(top, bottom), (left, right), *[(0, 0)] * (values.ndim - 2)]  # a mask has no channels
    return Image.fromarray(np.pad(values, widths, mode="edge"))


RESIZE: dict[str, Callable[[Image.Image, Size], Image.Image]] = {"Stretch": scaled, "Crop": crop, "Fill": fill_out}


# ---- masks -------------------------------------------------------------------------------------------------------------------


def reach(blur: int) -> int:
    """Pixels that a blur of this sigma reaches beyond a mask's edge: half of its kernel, as A1111 cuts it."""
    return int(2.5 * blur + 0.5)


def blurred(mask: Image.Image, blur: int) -> Image.Image:
    """Gaussian of sigma `blur` pixels, with a kernel of 2 * reach + 1 (A1111 1.10). The border of the picture is no edge."""
    if not blur:
        return mask
    side = 2 * reach(blur) + 1
    soft = cv2.GaussianBlur(np.asarray(mask, np.float32), (side, side), blur, borderType=cv2.BORDER_REPLICATE)
    return Image.fromarray(np.clip(np.rint(soft), 0, 255).astype(np.uint8))


def crop_box(bounds: Box, picture: Size, target: Size, padding: int, blur: int) -> Box:
    """The part that "only masked" draws: the painted bounds, with the reach of the blur and the padding around them, inside the picture,
    then widened to the target's aspect where there is room, never narrowed, and moved inside the picture.
    """
    margin = reach(blur) + padding
    left, top = (max(0, side - margin) for side in bounds[:2])
    right, bottom = (min(most, side + margin) for side, most in zip(bounds[2:], picture, strict=True))
    width, height = right - left, bottom - top
    if width * target[1] < height * target[0]:
        width = min(picture[0], round(height * target[0] / target[1]))
    else:
        height = min(picture[1], round(width * target[1] / target[0]))
    left = _moved_inside(left - (width - (right - left)) // 2, width, picture[0])
    top = _moved_inside(top - (height - (bottom - top)) // 2, height, picture[1])
    return left, top, left + width, top + height


def _moved_inside(start: int, length: int, most: int) -> int:
    return min(max(start, 0), most - length)


# ---- what the drawing begins with ----------------------------------------------------------------------------------------------


def filled(image: Image.Image, mask: Image.Image) -> Image.Image:
    """The masked part in the colours around it: blurred versions of the unmasked pixels, from coarse to fine, over each other."""
    kept = 255 - np.asarray(mask, np.float32)
    weighed = np.asarray(image, np.float32) * (kept[..., None] / 255)  # colours times their opacity
    opaque = np.dstack([weighed, kept]).astype(np.float32, copy=False)
    result = np.zeros_like(opaque)
    for radius, times in FILL_BLURS:
        layer = _spread(opaque, radius)
        for _ in range(times):
            result = layer + result * (1 - layer[..., 3:] / 255)
    colours = result[..., :3] / np.maximum(result[..., 3:], 1e-3) * 255
    return Image.composite(Image.fromarray(np.clip(np.rint(colours), 0, 255).astype(np.uint8)), image, mask)


def _spread(values: NDArray[np.float32], radius: int) -> NDArray[np.float32]:
    """Nearly a Gaussian of sigma `radius`: three box blurs, whose cost does not grow with the radius (as Pillow's, which A1111 uses)."""
    for _ in range(3 if radius else 0):
        values = np.asarray(cv2.blur(values, (2 * radius + 1, 2 * radius + 1), borderType=cv2.BORDER_REPLICATE), np.float32)
    return values


# ---- the part, out of the picture and back -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Patch:
    """A part of a picture at the size that is drawn, with its mask, and the way back."""

    picture: Image.Image  # RGB, the whole
    mask: Image.Image  # L, of the whole, blurred: the share of what is new in each pixel
    box: Box
    size: Size  # that is drawn

    @property
    def image(self) -> Image.Image:
        return scaled(self.picture.crop(self.box), self.size)

    @property
    def image_mask(self) -> Image.Image:
        return scaled(self.mask.crop(self.box), self.size)

    def put_back(self, drawn: Image.Image) -> Image.Image:
        """The whole picture with the drawn part in its place. Where the mask is 0, every pixel is the picture's own."""
        size = self.box[2] - self.box[0], self.box[3] - self.box[1]
        whole = self.picture.copy()
        whole.paste(scaled(drawn, size), self.box[:2], self.mask.crop(self.box))
        return whole

    def small(self, longest: int) -> Patch:
        """The same with a picture of at most `longest` pixels a side, for previews."""
        share = min(1, longest / max(self.picture.size))
        size = max(1, round(self.picture.width * share)), max(1, round(self.picture.height * share))
        corners = [round(edge * share) for edge in self.box]
        left, top = min(corners[0], size[0] - 1), min(corners[1], size[1] - 1)
        box = left, top, max(left + 1, corners[2]), max(top + 1, corners[3])
        return Patch(scaled(self.picture, size), scaled(self.mask, size), box, self.size)


def whole(picture: Size) -> Box:
    return 0, 0, *picture
