"""Regions: parts of a picture with words of their own, painted or laid out as rectangles. No pixels are read here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from models.errors import UserError
from pipelines.requests.fields import Range, Several, Stored, Text, limited

REGIONS = -2  # where input pictures are told by a number and a field: the number that stands for regions
MOST_REGIONS = 16  # of one picture
SIDE = Range(0, 1, 0.001)  # share of the picture


@dataclass(frozen=True, kw_only=True)
class Region:
    """One region. It lies in the whole picture that comes of the drawing, whatever the size: what is painted is stretched to it, and a
    rectangle has its sides as shares of it.
    """

    prompt: str = limited("", Text(10_000), "Words", "What is there; a region without words is as if it were not there")
    weight: float = limited(1.0, Range(0, 2, 0.05), "Weight", "Beside other regions that lie there, and beside the prompt; 0 takes it out")
    mask: str = limited("", Stored(), "Painted", "Where it lies; without it, the rectangle")
    left: float = limited(0.0, SIDE, "Left")
    top: float = limited(0.0, SIDE, "Top")
    right: float = limited(1.0, SIDE, "Right")
    bottom: float = limited(1.0, SIDE, "Bottom")
    template: str = limited("", Text(10_000), "Template", "What its words were drawn of", derived=True)

    @property
    def acts(self) -> bool:
        return bool(self.weight and self.prompt.strip())


REGIONS_OF_ONE = Several(Region, MOST_REGIONS)


def acting(regions: Sequence[Region]) -> tuple[Region, ...]:
    """Those that say something."""
    return tuple(region for region in regions if region.acts)


def check_regions(regions: Sequence[Region]) -> None:
    """Raises `UserError` for a rectangle without area."""
    for place, each in enumerate(regions, 1):
        if not each.mask and (each.left >= each.right or each.top >= each.bottom):
            raise UserError(f"Region {place} has no area. Paint it, or remove it.")
