"""Groups of a request's fields: what is told of together. A request declares each of its fields by one of these."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipelines.requests.fields import Limit, limited


@dataclass(frozen=True, slots=True)
class Group:
    """A group that calls itself so on the page. Calling it declares a field of it, like `limited`."""

    title: str

    # Any: a field of a dataclass is written as its default, whatever type that has.
    def __call__(self, default: Any, limit: Limit, title: str, info: str = "", derived: bool = False) -> Any:
        return limited(default, limit, title, info, derived, self)


WORDS = Group("Words")
REGIONS = Group("Regions")
MODEL = Group("Model")
PICTURE = Group("Picture")
SAMPLING = Group("Sampling")
GUIDANCE = Group("Guidance")
ENLARGED = Group("Enlarged")
SECOND = Group("Second pass")
BEGINNING = Group("What it began with")
MASK = Group("Mask")
TILES = Group("Tiles")
DEPTH = Group("Depth map")
DETAILS = Group("Details")
CLIP = Group("Clip")
OBJECT = Group("Object")
VIEWS = Group("Views")
CONTROL = Group("Control")
BRANCH = Group("Branch")
COMPUTED = Group("Provenance")
GROUPS = (
    WORDS, REGIONS, MODEL, PICTURE, SAMPLING, GUIDANCE, ENLARGED, SECOND, BEGINNING, CLIP, OBJECT, VIEWS, MASK, TILES, DEPTH, DETAILS,
    CONTROL, BRANCH, COMPUTED,
)  # in the order in which they are told  # fmt: skip
