"""Drawn small: an upscaler enlarges each picture as soon as it is drawn. Its fields, and the size that comes of it.

The picture as it was drawn is kept as an input picture beside the enlarged one, and a second pass takes that one.
"""

from __future__ import annotations

from dataclasses import dataclass

from models.errors import UserError
from pipelines.requests.base import Request
from pipelines.requests.enlarge import LONGEST_SIDE, MOST_PIXELS, Size
from pipelines.requests.fields import Choice, Range, Stored
from pipelines.requests.groups import COMPUTED, ENLARGED


@dataclass(frozen=True, kw_only=True)
class DrawnSmall(Request):
    enlarged_by: str = ENLARGED(
        "", Choice(), "Enlarged by", "An upscaler, as soon as a picture is drawn. As it was drawn, it is kept as well"
    )
    enlarged_tile: int = COMPUTED(0, Range(0, LONGEST_SIDE), "Tile size of the upscaler", "0 goes by free memory", derived=True)
    as_drawn: str = ENLARGED("", Stored(), "As drawn", "The picture before it was enlarged", derived=True)

    @property
    def enlarger(self) -> str:
        """The id of the upscaler that acts, "" where none does."""
        return self.enlarged_by


def enlarger_of(request: Request) -> str:
    return request.enlarger if isinstance(request, DrawnSmall) else ""


def enlarged_size(picture: Size, scale: int) -> Size:
    """Width and height of a picture of this size once it is enlarged. Raises `UserError` when that is too much."""
    width, height = picture[0] * scale, picture[1] * scale
    if max(width, height) > LONGEST_SIDE or width * height > MOST_PIXELS:
        told = f"The picture would become {width:,} × {height:,}; {MOST_PIXELS // 10**6} megapixels are the most"
        raise UserError(f"{told}. Choose a smaller size, or no upscaler.")
    return width, height
