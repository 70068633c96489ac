"""Depth maps: read from files, edited, brought to the size that is drawn. No torch.

A map holds nearness from 0, the farthest, to 1, the nearest: relative, as MiDaS gives it (Ranftl et al. 2020, arXiv:1907.01341),
not a distance. It is kept as a picture of 16 bits, since 256 steps show as terraces once a curve has stretched them.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import UserError
from pipelines.depth.exr import is_exr, read_exr
from pipelines.images.decode import normalise, sixteen_bits
from pipelines.images.masking import RESIZE, Size
from pipelines.requests.request import Depth

Map = NDArray[np.floating]  # (h, w), 0 .. 1
STEPS = 65_535
FLAT = 1e-6  # between the nearest and the farthest: such a map says nothing
TURNED = "An EXR holds distances, so it was turned over: near is white here."


def read_depth(data: bytes) -> tuple[Image.Image, tuple[str, ...]]:
    """The map in a file of 8 or 16 bits or in an EXR, "I;16", and notes for the artist. A coloured picture counts by its brightness.

    Raises `UserError` for what cannot be read.
    """
    if is_exr(data):
        distances, notes = read_exr(data)
        return to_picture(1 - relative(distances)), (*notes, TURNED)
    exact = sixteen_bits(data)
    if exact is not None:
        return exact, ()
    found = normalise(data)
    return to_picture(np.asarray(found.image.convert("L"), np.float32) / 255), found.notes


def relative(values: NDArray[np.floating]) -> Map:
    """Shifted and scaled to 0 .. 1; what is not finite (an empty background) counts as the largest. All 0 where it is flat."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        raise UserError("This depth map holds no numbers. Export it again.")
    low, high = float(finite.min()), float(finite.max())
    if high - low < FLAT * max(1.0, abs(high)):
        return np.zeros(values.shape, np.float32)
    whole = np.nan_to_num(values.astype(np.float64), nan=high, posinf=high, neginf=low)
    return ((whole - low) / (high - low)).astype(np.float32)


def to_picture(depth: Map) -> Image.Image:
    return Image.fromarray(np.rint(np.clip(depth, 0, 1) * STEPS).astype(np.uint16))


def to_map(picture: Image.Image) -> Map:
    """Of 16 bits, of 8 bits, or coloured: then its brightness."""
    if picture.mode == "I;16":
        return np.asarray(picture, np.float32) / STEPS
    return np.asarray(picture.convert("L"), np.float32) / 255


def shown(depth: Map) -> Image.Image:
    """For eyes and for networks that read a picture: grey, 8 bits, "RGB"."""
    return Image.fromarray(np.rint(np.clip(depth, 0, 1) * 255).astype(np.uint8)).convert("RGB")


def fitted(depth: Map, size: Size, resize_mode: str) -> Map:
    """At the size that is drawn, cut or filled as the picture is."""
    resize: Callable[[Image.Image, Size], Image.Image] = RESIZE[resize_mode]
    return np.clip(np.asarray(resize(Image.fromarray(depth), size), np.float32), 0, 1)


def edited(depth: Map, request: Depth) -> Map:
    """In the order in which the fields stand: turned over, the background cut off, levels, curve, blur."""
    if request.map_inverted:
        depth = 1 - depth
    depth = np.where(depth < request.cut_off, np.float32(0), depth)
    depth = np.clip((depth - request.far) / max(request.near - request.far, 1 / STEPS), 0, 1) ** request.curve
    if request.map_blur:
        soft = cv2.GaussianBlur(depth.astype(np.float32), (0, 0), request.map_blur, borderType=cv2.BORDER_REPLICATE)
        depth = np.asarray(soft, np.float32)
    return depth.astype(np.float32)
