"""Details of a picture that are drawn anew: the boxes they stand in, and how detectors found these. No pixels are read here."""

from __future__ import annotations

from dataclasses import dataclass

from models.errors import UserError
from pipelines.requests.fields import Choice, Range, Text, limited

MOST_BOXES = 100  # in one job
MOST_DETAILERS = 4
FARTHEST = 65_536  # pixels: the longest side of a picture that can be put in
ORDERS = ("Left to right", "Centre first", "Largest first")
MERGES = ("One by one", "Together", "All but these")
COLOUR, PAINTED = "Colour", "What I paint"  # detectors that need no file
SEPARATOR, SKIP, WHOLE_PROMPT = "[SEP]", "[SKIP]", "[PROMPT]"  # in prompts of details, as ADetailer's users write them

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels; the last two are beyond the box


@dataclass(frozen=True, kw_only=True)
class DetailBox:
    """One detail: a rectangle of the picture, in pixels; what stands out over the picture's edges is cut off."""

    left: int = limited(0, Range(-FARTHEST, FARTHEST), "Left")
    top: int = limited(0, Range(-FARTHEST, FARTHEST), "Top")
    right: int = limited(0, Range(-FARTHEST, FARTHEST), "Right")
    bottom: int = limited(0, Range(-FARTHEST, FARTHEST), "Bottom")
    prompt: str = limited("", Text(10_000), "Prompt", "Empty: the picture's own; [PROMPT] stands for that; [SKIP] leaves the box as it is")
    strength: float = limited(0.0, Range(0, 1, 0.01), "Strength", "0: that of the form")
    template: str = limited("", Text(10_000), "Template", "What its prompt was drawn of", derived=True)

    @property
    def box(self) -> Box:
        return self.left, self.top, self.right, self.bottom


@dataclass(frozen=True, kw_only=True)
class Detailer:
    """What finds boxes, which of them count, and what they are drawn with. Several are asked in order."""

    detector: str = limited(COLOUR, Choice(), "Detector", "What looks for the details")
    colour: str = limited("#d03030", Text(7), "Colour", "Things of about this colour are found")
    prompt: str = limited("", Text(10_000), "Prompt", "For what it finds; [SEP] between those of one box each, [SKIP] leaves one as it is")
    strength: float = limited(0.0, Range(0, 1, 0.01), "Strength", "0: that of the form")
    confidence: float = limited(0.3, Range(0, 1, 0.01), "Confidence", "What a detector is less sure of does not count")
    smallest: float = limited(0.0, Range(0, 1, 0.001), "Smallest", "Share of the picture's area; what is smaller does not count")
    largest: float = limited(1.0, Range(0, 1, 0.001), "Largest", "Share of the picture's area; what is larger does not count")
    most: int = limited(0, Range(0, MOST_BOXES), "At most", "So many of the largest; 0: all")
    order: str = limited(ORDERS[0], Choice(ORDERS), "Order", "In which they are drawn")
    grow: int = limited(4, Range(-128, 128), "Grow", "Pixels by which each becomes wider and higher; below 0 it shrinks")
    across: int = limited(0, Range(-1024, 1024), "Move right", "Pixels; below 0 to the left")
    down: int = limited(0, Range(-1024, 1024), "Move down", "Pixels; below 0 upwards")


def check_boxes(boxes: tuple[DetailBox, ...]) -> None:
    """Raises `UserError` for a box without area."""
    for place, each in enumerate(boxes, 1):
        if each.left >= each.right or each.top >= each.bottom:
            raise UserError(f"Box {place} has no area. Pull it open, or remove it.")


def inside(box: Box, size: tuple[int, int]) -> Box | None:
    """The part of a box that lies in a picture of this size (width, height); None where nothing does."""
    left, top, right, bottom = max(0, box[0]), max(0, box[1]), min(size[0], box[2]), min(size[1], box[3])
    return (left, top, right, bottom) if left < right and top < bottom else None


def check_inside(boxes: tuple[DetailBox, ...], size: tuple[int, int]) -> None:
    """Raises `UserError` where there is no box, or one lies wholly outside a picture of this size."""
    if not boxes:
        raise UserError("There is no box yet. Press Find, or draw one on the picture.")
    for place, each in enumerate(boxes, 1):
        if inside(each.box, size) is None:
            raise UserError(f"Box {place} lies outside the picture, which is {size[0]:,} × {size[1]:,}. Move it, or remove it.")


def dealt(prompt: str, count: int) -> list[str]:
    """The prompt of each of `count` boxes: its parts between [SEP], the last of which goes for all that are left (ADetailer)."""
    parts = [part.strip() for part in prompt.split(SEPARATOR)]
    return [parts[min(place, len(parts) - 1)] for place in range(count)]


def said(prompt: str, whole: str) -> str | None:
    """What is drawn in a box of this prompt, in a picture of the prompt `whole`; None where the box is skipped."""
    if prompt.strip() == SKIP:
        return None
    return prompt.replace(WHOLE_PROMPT, whole) if prompt.strip() else whole
