"""Enlarging a picture by a classic filter or an upscaler: the request, and the size that comes of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from models.errors import UserError
from pipelines.requests.base import WithPicture
from pipelines.requests.fields import Choice, Range
from pipelines.requests.groups import BEGINNING, COMPUTED, PICTURE
from pipelines.requests.wording import PICTURES, PictureUse

FILTER_NAMES = ("Lanczos", "Bicubic", "Bilinear", "Hamming", "Box", "Nearest")
BY_FACTOR, BY_SIZE = "Factor", "Size"
MOST_PIXELS = 100_000_000  # of what comes out
LONGEST_SIDE = 32_768
SMALLEST_TILE = 32  # pixels of a side
OVERLAP = 16  # pixels of the smaller picture over which tiles blend
MOST_BETWEEN = 400_000_000  # pixels of what an upscaler makes before it is brought to the size that is wanted
THE_FILTER = "filter"  # in place of an upscaler's id

Size = tuple[int, int]  # width, height


@dataclass(frozen=True, kw_only=True)
class Enlarge(WithPicture):
    """A picture at another size, or each of several. Transparency is kept."""

    kind: ClassVar[str] = "enlarge"
    title: ClassVar[str] = "Enlarge"

    filter: str = PICTURE("Lanczos", Choice(FILTER_NAMES), "Filter", "Lanczos is the sharpest, bilinear soft; nearest keeps hard pixels")
    by: str = PICTURE(BY_FACTOR, Choice((BY_FACTOR, BY_SIZE)), "Enlarge by")
    factor: float = PICTURE(2.0, Range(0.1, 16, 0.05), "Factor", "Of each side; below 1 the picture gets smaller")
    width: int = PICTURE(0, Range(0, LONGEST_SIDE), "Width", "Pixels; 0 follows the height")
    height: int = PICTURE(0, Range(0, LONGEST_SIDE), "Height", "Pixels; 0 follows the width")

    upscaler: str = PICTURE("", Choice(), "Upscaler", "A network that draws what a filter cannot know; none: the filter alone")
    second_upscaler: str = PICTURE("", Choice(), "Blended with", "A second one, or the filter, laid over the first")
    blend: float = PICTURE(0.5, Range(0, 1, 0.05), "Share of the second", "0 shows the first alone, 1 the second alone")
    upscaler_tile: int = PICTURE(0, Range(0, LONGEST_SIDE), "Tile size", "Pixels that an upscaler sees at once; 0 goes by free memory")
    upscaler_overlap: int = PICTURE(OVERLAP, Range(0, 256), "Overlap", "Pixels over which tiles blend")
    threads: int = COMPUTED(0, Range(0, 4096), "Threads", "Of the processor; 0: as many as the studio has", derived=True)
    images: tuple[PictureUse, ...] = BEGINNING((), PICTURES, "Several pictures")

    @property
    def batch_total(self) -> int:
        return max(1, len(self.images))

    def single(self, index: int) -> Self:
        return replace(self, image=self.images[index].id, images=()) if self.images else self

    @property
    def second(self) -> str:
        """What is blended with the upscaler, if that is anything."""
        return self.second_upscaler if self.upscaler and self.blend else ""

    @property
    def upscalers(self) -> tuple[str, ...]:
        """The ids of those that act."""
        return tuple(upscaler for upscaler in (self.upscaler, self.second) if upscaler not in ("", THE_FILTER))

    @property
    def words(self) -> str:
        return "Enlarged by an upscaler" if self.upscaler else f"Enlarged, {self.filter}"

    def size_from(self, picture: tuple[int, int]) -> tuple[int, int]:
        """Width and height of what comes of a picture of this size. Raises `UserError` when that is nothing, or too much."""
        width, height = self._sides(*picture)
        if max(width, height) > LONGEST_SIDE:
            raise UserError(f"The picture would become {width:,} × {height:,}; {LONGEST_SIDE:,} pixels a side are the most. {_less(self)}")
        if width * height > MOST_PIXELS:
            area = f"{width:,} × {height:,}, {width * height / 1e6:,.1f} megapixels"
            raise UserError(f"The picture would become {area}; {MOST_PIXELS // 10**6} are the most. {_less(self)}")
        return width, height

    def _sides(self, width: int, height: int) -> tuple[int, int]:
        if self.by == BY_FACTOR:
            return max(1, round(width * self.factor)), max(1, round(height * self.factor))
        if not self.width and not self.height:
            raise UserError("Type a width or a height. The side that is 0 follows the other, so that the shape stays.")
        across = self.width or max(1, round(width * self.height / height))
        return across, self.height or max(1, round(height * self.width / width))


def passes(picture: Size, size: Size, scale: int) -> list[Size]:
    """What the upscaler is given each time: first the picture, then what came of it, no larger than it needs to be to cover the size.

    Raises `UserError` when what comes out is too large to hold.
    """
    given = [picture]
    while scale > 1 and (given[-1][0] * scale < size[0] or given[-1][1] * scale < size[1]):
        made = [side * scale for side in given[-1]]
        given.append((min(made[0], math.ceil(size[0] / scale)), min(made[1], math.ceil(size[1] / scale))))
    if (most := max(math.prod(each) for each in given) * scale**2) > MOST_BETWEEN:
        what = f"The upscaler would make {most / 1e6:,.0f} megapixels before they are reduced; {MOST_BETWEEN // 10**6} are the most."
        raise UserError(f"{what} Choose an upscaler of a smaller scale, or a filter.")
    return given


def _less(request: Enlarge) -> str:
    return "Choose a smaller factor." if request.by == BY_FACTOR else "Choose a smaller size."
