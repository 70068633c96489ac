"""Regions: parts of a picture with words of their own, painted or laid out as rectangles. No pixels are read here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
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

    prompt: str = limited("", Text(10_000), "Words", "What is there; without any, and without LoRAs, it is as if there were no region")
    weight: float = limited(1.0, Range(0, 2, 0.05), "Weight", "Beside other regions that lie there, and beside the prompt; 0 takes it out")
    mask: str = limited("", Stored(), "Painted", "Where it lies; without it, the rectangle")
    left: float = limited(0.0, SIDE, "Left")
    top: float = limited(0.0, SIDE, "Top")
    right: float = limited(1.0, SIDE, "Right")
    bottom: float = limited(1.0, SIDE, "Bottom")
    template: str = limited("", Text(10_000), "Template", "What its words were drawn of", derived=True)


REGIONS_OF_ONE = Several(Region, MOST_REGIONS)


def acting(regions: Sequence[Region], dressed: Collection[int] = ()) -> dict[int, Region]:
    """Those that say something, or have LoRAs of their own, by their numbers from 1. `dressed`: the numbers of the latter."""
    return {place: each for place, each in enumerate(regions, 1) if each.weight and (each.prompt.strip() or place in dressed)}


def check_regions(regions: Sequence[Region], named: Collection[int] = ()) -> None:
    """Raises `UserError` for a rectangle without area, and for LoRAs of a region that is not there. `named`: the regions of LoRAs."""
    if max(named, default=0) > len(regions):
        raise UserError(f"A LoRA acts in region {max(named)}, which is not there any more. Take it out of the list of LoRAs.")
    for place, each in enumerate(regions, 1):
        if not each.mask and (each.left >= each.right or each.top >= each.bottom):
            raise UserError(f"Region {place} has no area. Paint it, or remove it.")
