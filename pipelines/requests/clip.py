"""Clips: pictures that begin to move. What is asked of a video model, and what it was trained for where nothing else is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from models.families import SVD
from pipelines.requests.fields import Choice, Range
from pipelines.requests.groups import CLIP, COMPUTED, GUIDANCE, PICTURE
from pipelines.requests.wordless import Wordless

SIDE_STEP = 64  # pixels: the network halves its latents three times
LONGEST_CLIP_SIDE = 2048
MOST_FRAMES = 100
BY_MODEL = ("frames", "frames_a_second", "width", "height")  # fields whose 0 stands for what the model was trained for
USUAL = {"frames": 14, "frames_a_second": 7, "width": 1024, "height": 576}  # of Stable Video Diffusion


def linear(first: float, last: float, frames: int) -> list[float]:
    """Guidance that rises evenly over the frames, which hold to the picture less the farther they are."""
    return [first + (last - first) * place / max(1, frames - 1) for place in range(frames)]


def triangle(ends: float, middle: float, frames: int) -> list[float]:
    """Guidance that rises to the middle and falls again, for clips that come back to where they began."""
    half = [abs(2 * place / max(1, frames - 1) - 1) for place in range(frames)]
    return [middle + (ends - middle) * share for share in half]


LINEAR, TRIANGLE = "Linear", "Triangle"
CURVES: Mapping[str, Callable[[float, float, int], list[float]]] = {LINEAR: linear, TRIANGLE: triangle}


@dataclass(frozen=True, kw_only=True)
class Clip(Wordless):
    """A clip that begins with a picture: Stable Video Diffusion, Blattmann et al. (2023), arXiv:2311.15127."""

    kind: ClassVar[str] = "video"
    title: ClassVar[str] = "Video"
    family: ClassVar[str] = SVD.key
    lighter: ClassVar[str] = "fewer frames or a smaller size"

    width: int = PICTURE(0, Range(0, LONGEST_CLIP_SIDE, SIDE_STEP, snap=True), "Width", "Pixels; 0: as the model was trained")
    height: int = PICTURE(0, Range(0, LONGEST_CLIP_SIDE, SIDE_STEP, snap=True), "Height", "Pixels; 0: as the model was trained")
    frames: int = CLIP(0, Range(0, MOST_FRAMES), "Frames", "0: as many as the model was trained for")
    frames_a_second: int = CLIP(0, Range(0, 30), "Frames a second", "The network is told it, and so fast the clip plays; 0: as trained")
    motion: int = CLIP(127, Range(1, 255), "Motion", "How much moves; 127 is usual")
    picture_noise: float = CLIP(0.02, Range(0, 1, 0.01), "Noise on the picture", "With more of it more moves, and less is kept")
    guidance_first: float = GUIDANCE(1.0, Range(0, 10, 0.1), "Guidance at the first frame", "How closely the picture is kept to")
    guidance_last: float = GUIDANCE(3.0, Range(0, 10, 0.1), "Guidance at the last frame", "Of a triangle: in the middle")
    guidance_shape: str = GUIDANCE(LINEAR, Choice(tuple(CURVES)), "Shape of the guidance", "A triangle comes back, as clips that loop do")
    decode_chunk: int = COMPUTED(0, Range(0, MOST_FRAMES), "Frames decoded together", "More flicker less and take memory; 0: what fits")

    @property
    def words(self) -> str:
        return f"Clip of {self.frames} frame{'s' * (self.frames > 1)}" if self.frames else "Clip"

    @property
    def size(self) -> tuple[int, int]:
        return self.width, self.height

    @property
    def pixels(self) -> int:
        return self.width * self.height * self.frames

    @property
    def scales(self) -> list[float]:
        """Guidance of each frame."""
        return CURVES[self.guidance_shape](self.guidance_first, self.guidance_last, self.frames)

    @property
    def is_guided(self) -> bool:
        """Whether the network is also asked what it sees without the picture."""
        return any(scale != 1 for scale in self.scales)

    @property
    def plays(self) -> tuple[int, int]:
        return self.frames, self.frames_a_second

    def fitted(self, trained: Mapping[str, object], picture: tuple[int, int] | None) -> Self:
        """With numbers in place of each 0: `trained` is what suits the model; the size is turned as the picture lies."""
        own = USUAL | {name: value for name, value in trained.items() if name in BY_MODEL and isinstance(value, int)}
        lying, standing = sorted((own["width"], own["height"]), reverse=True), picture is not None and picture[1] > picture[0]
        sides = dict(zip(("height", "width") if standing else ("width", "height"), lying, strict=True))
        found = replace(self, **{name: getattr(self, name) or (own | sides)[name] for name in BY_MODEL})
        found.check()
        return found
