"""Tiles of a picture: windows that overlap evenly, or a grid that is redrawn tile by tile, and the seams between its tiles.

Pure geometry, on integers. The page counts from it before a run what the recipe draws: one truth.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.families import PIXELS_PER_LATENT
from pipelines.images.masking import Box, Size, blurred, reach
from pipelines.requests.request import Drawing, FromPicture
from pipelines.requests.tiles import BANDS, CHESS, CROSSINGS, NO_SEAMS, ONE_BY_ONE, UNTILED, WINDOWS, InTiles, InWindows, count_along

WINDOWS_A_CALL = 4  # where the device takes several at once: enough to keep it busy, and memory does not grow with the picture
Whole = TypeVar("Whole", bound=FromPicture)
Shape = Literal["tile", "across", "down", "crossing"]  # of what is drawn anew in a part


# ---- windows ---------------------------------------------------------------------------------------------------------------------


def window_boxes(request: Drawing) -> list[Box]:
    """The windows of what is drawn, in latents, row by row; one where it is drawn whole."""
    side = request.pixels_per_latent
    size = request.width // side, request.height // side
    if not isinstance(request, InWindows) or request.tiling != WINDOWS:
        return [(0, 0, *size)]
    return evenly(size, request.tile_size // side, request.tile_overlap // side)


def pixel_windows(request: Drawing) -> list[Part]:
    """The same as parts, in pixels."""
    side = request.pixels_per_latent
    found = [(left * side, top * side, right * side, bottom * side) for left, top, right, bottom in window_boxes(request)]
    return [Part(box, box, "tile") for box in found]


def evenly(size: Size, side: int, overlap: int) -> list[Box]:
    """Windows of `side`, all alike, that share at least `overlap` with their neighbours; narrower where the whole is."""
    across, down = (min(side, length) for length in size)
    tops, lefts = _starts(size[1], side, overlap), _starts(size[0], side, overlap)
    return [(left, top, left + across, top + down) for top in tops for left in lefts]


def _starts(length: int, side: int, overlap: int) -> list[int]:
    """Evenly spread, as in Mixture of Diffusers (Jimenez 2023, arXiv:2302.02412)."""
    if length <= side:
        return [0]
    count = count_along(length, side, overlap)
    return [turn * (length - side) // (count - 1) for turn in range(count)]


def part_side(request: Drawing) -> int:
    """Pixels along the longer side of the largest part that the network reads; 0 where it reads the whole."""
    if isinstance(request, InTiles) and request.tiling == ONE_BY_ONE:
        return max(max(part.size) for part in parts(request, (request.width, request.height)))
    return request.tile_size if isinstance(request, InWindows) and request.tiling == WINDOWS else 0


def pixels_drawn(request: Drawing) -> int:
    """Pixels that the network reads for one picture: those of the whole, or of all its parts. Seams count as if at full strength."""
    if isinstance(request, InTiles) and request.tiling == ONE_BY_ONE:
        return sum(part.size[0] * part.size[1] for part in parts(request, (request.width, request.height)))
    windows = window_boxes(request)
    left, top, right, bottom = windows[0]
    return len(windows) * (right - left) * (bottom - top) * request.pixels_per_latent**2


# ---- tile by tile ----------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """One part of a picture that is drawn by itself."""

    box: Box  # that the network sees, in pixels; its sides are multiples of what makes one latent
    fresh: Box  # that is drawn anew
    shape: Shape
    strength: float | None = None  # of a seam; None: that of the whole

    @property
    def size(self) -> Size:
        return self.box[2] - self.box[0], self.box[3] - self.box[1]

    @property
    def is_seam(self) -> bool:
        return self.shape != "tile"


def parts(request: InTiles, picture: Size) -> list[Part]:
    """The tiles of a picture of this size, then its seams, in the order in which they are drawn. Sides in multiples of 8."""
    margin = max(request.tile_padding, reach(request.tile_blur))
    tiles: list[tuple[Box, Shape]] = [(fresh, "tile") for fresh in _in_order(_grid(picture, request.tile_size), request.tile_order)]
    found = [*tiles, *_seams(request, picture)]
    strengths: dict[Shape, float | None] = {"tile": None}
    return [
        Part(_seen(fresh, picture, _whole_size(request, shape), margin), fresh, shape, strengths.get(shape, request.seam_strength))
        for fresh, shape in found
    ]


def asked_of(whole: Whole, part: Part) -> Whole:
    """What one part is drawn by: like the whole, at its own size; a seam at its own strength."""
    width, height = part.size
    strength = whole.denoising_strength if part.strength is None else part.strength
    return replace(whole, width=width, height=height, tiling=UNTILED, denoising_strength=strength)


def _whole_size(request: InTiles, shape: Shape) -> Size:
    """Of a part that no border of the picture cuts."""
    side = request.tile_size
    thick = _thickness(request)
    return {"across": (side, thick), "down": (thick, side)}.get(shape, (side, side))


def _thickness(request: InTiles) -> int:
    """Pixels of a seam, from one side to the other."""
    return min(request.seam_width, request.tile_size) if request.seam_pass == BANDS else request.tile_size


def _grid(picture: Size, side: int) -> list[list[Box]]:
    """Rows of tiles; the last of each row and column is what is left."""
    columns, rows = (range(0, length, side) for length in picture)
    return [[(left, top, min(left + side, picture[0]), min(top + side, picture[1])) for left in columns] for top in rows]


def _in_order(grid: Sequence[Sequence[Box]], order: str) -> list[Box]:
    placed = [(row + column, box) for row, boxes in enumerate(grid) for column, box in enumerate(boxes)]
    if order == CHESS:
        placed.sort(key=lambda one: one[0] % 2)
    return [box for _, box in placed]


def _seams(request: InTiles, picture: Size) -> Iterator[tuple[Box, Shape]]:
    if request.seam_pass == NO_SEAMS:
        return
    side, thick = request.tile_size, _thickness(request)
    lines = [[*range(side, length, side)] for length in picture]
    pieces = [[(start, min(start + side, length)) for start in range(0, length, side)] for length in picture]
    for middle in lines[1]:
        for left, right in pieces[0]:
            yield _inside((left, middle - thick // 2, right, middle + thick // 2), picture), "across"
    for middle in lines[0]:
        for top, bottom in pieces[1]:
            yield _inside((middle - thick // 2, top, middle + thick // 2, bottom), picture), "down"
    if request.seam_pass == CROSSINGS:
        for row in lines[1]:
            for column in lines[0]:
                yield _inside((column - side // 2, row - side // 2, column + side // 2, row + side // 2), picture), "crossing"


def _inside(box: Box, picture: Size) -> Box:
    return max(0, box[0]), max(0, box[1]), min(picture[0], box[2]), min(picture[1], box[3])


def _seen(fresh: Box, picture: Size, size: Size, margin: int) -> Box:
    """Of this size and a margin around it, in multiples of 8, about the middle of what is drawn, moved inside the picture."""
    starts, lengths = [0, 0], [0, 0]
    for axis, whole in enumerate(picture):
        wanted = -(-(size[axis] + 2 * margin) // PIXELS_PER_LATENT) * PIXELS_PER_LATENT
        lengths[axis] = min(whole, wanted)
        starts[axis] = min(max(0, (fresh[axis] + fresh[axis + 2] - lengths[axis]) // 2), whole - lengths[axis])
    return starts[0], starts[1], starts[0] + lengths[0], starts[1] + lengths[1]


# ---- what is drawn anew ----------------------------------------------------------------------------------------------------------


def mask_of(part: Part, picture: Size, blur: int) -> Image.Image:
    """The mask of a part in the whole picture: of a tile its blurred square, of a seam full in the middle and fading to both sides."""
    left, top, right, bottom = (part.fresh[side] - part.box[side % 2] for side in range(4))
    inner = np.zeros(part.size[::-1], np.uint8)
    inner[top:bottom, left:right] = np.rint(255 * _shape(part, (right - left, bottom - top)))
    mask = Image.new("L", picture)
    mask.paste(blurred(Image.fromarray(inner), blur), part.box[:2])
    return mask


def _shape(part: Part, size: Size) -> NDArray[np.float64]:
    """(height, width), 0 .. 1."""
    across, down = (_tent(length) for length in size)
    if part.shape == "tile":
        return np.ones(size[::-1])
    if part.shape == "crossing":
        return np.minimum(down[:, None], across)
    return np.broadcast_to(down[:, None] if part.shape == "across" else across, size[::-1])


def _tent(length: int) -> NDArray[np.float64]:
    """From 0 to 1 in the middle and back."""
    place = (np.arange(length) + 0.5) / length
    return np.minimum(1.0, 2 * np.minimum(place, 1 - place))
