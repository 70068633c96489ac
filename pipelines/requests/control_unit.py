"""A control unit: a picture that steers a drawing by its outlines, depth, pose or the like, and how strongly, when and where it does."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipelines.requests.fields import Choice, Flag, Range, Stored, Text, limited

MOST_UNITS = 10
CONTROL_MODES = ("Balanced", "Prompt", "Control")
CONTROL_RESIZE = ("Crop", "Fill", "Stretch")
WEIGHT_CURVES = ("Flat", "Falling", "Rising", "Early", "Late", "Middle")
# What a union network is told the map shows. Others know one kind of map only and are not asked.
UNION_KINDS = ("", "Pose", "Depth", "Soft edge", "Hard edge", "Normal", "Segments", "Tile", "Repaint")


@dataclass(frozen=True, kw_only=True)
class ControlUse:
    """One unit of a request. Without a picture of its own it takes the one that the request begins with."""

    id: str = limited("", Choice(), "Model", "What steers: a ControlNet, T2I-Adapter, Control-LoRA or IP-Adapter")
    name: str = limited("", Text(300), "Name", derived=True)  # so that another machine can find its own copy
    image: str = limited("", Stored(), "Picture")
    preprocessor: str = limited("None", Choice(), "Preprocessor", "Turns the picture into the map that the model reads")
    pixel_perfect: bool = limited(True, Flag(), "Pixel perfect", "Preprocess at just the resolution that the drawing needs")
    resolution: int = limited(512, Range(64, 2048, 8, snap=True), "Resolution", "Of the preprocessor, when not pixel perfect")
    threshold_a: float = limited(0.0, Range(-1000, 1000, 0.01, clamp=True), "First threshold")
    threshold_b: float = limited(0.0, Range(-1000, 1000, 0.01, clamp=True), "Second threshold")
    weight: float = limited(1.0, Range(0, 2, 0.05), "Weight", "0 takes the unit out, 1 is what the model was trained for")
    start: float = limited(0.0, Range(0, 1, 0.01), "From", "Share of the steps after which it begins")
    end: float = limited(1.0, Range(0, 1, 0.01), "Until", "Share of the steps after which it ends")
    curve: str = limited("Flat", Choice(WEIGHT_CURVES), "Weight curve", "How the weight goes from the first of its steps to the last")
    mode: str = limited("Balanced", Choice(CONTROL_MODES), "Control mode", "What counts more where prompt and control disagree")
    resize_mode: str = limited("Crop", Choice(CONTROL_RESIZE), "Resize mode", "How a picture of another shape comes to the drawing's size")
    mask: str = limited("", Stored(), "Region", "A mask: only there the unit acts")
    union_kind: str = limited("", Choice(UNION_KINDS), "Map shows", "For a union model; empty: what the preprocessor makes")

    def weight_at(self, index: int, steps: int) -> float:
        """The weight at step `index` of the `steps` that are planned, both as in diffusers: 0 before `start` and after `end`."""
        if self.start > index / steps or (index + 1) / steps > self.end:
            return 0.0
        first = math.ceil(self.start * steps - 1e-9)
        last = math.floor(self.end * steps + 1e-9) - 1
        return self.weight * curve_at(self.curve, (index - first) / (last - first) if last > first else 0.0)


def curve_at(curve: str, share: float) -> float:
    """The factor of the weight, 0 .. 1, at a share of the unit's own steps: 0 at the first of them, 1 at the last."""
    return CURVES[curve](min(max(share, 0.0), 1.0))


CURVES: Mapping[str, Callable[[float], float]] = {
    "Flat": lambda x: 1.0,
    "Falling": lambda x: 1 - x,
    "Rising": lambda x: x,
    "Early": lambda x: math.cos(x * math.pi / 2) ** 2,
    "Late": lambda x: math.sin(x * math.pi / 2) ** 2,
    "Middle": lambda x: math.sin(x * math.pi),
}
