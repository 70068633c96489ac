"""The desk: what a look into a picture is given, and what it brings. Importing it imports no torch."""

from __future__ import annotations

import io
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from PIL import Image

from models.errors import UserError
from pipelines.images.store import Inputs
from pipelines.requests.drawn_small import DrawnSmall, enlarger_of
from pipelines.requests.request import Drawing
from pipelines.steps.state import StepState

GONE = "The file of this picture is not there any more, so nothing can be seen inside."


@dataclass(frozen=True)
class Found:
    """What a look has found: a message for the page, and files by their names."""

    told: Mapping[str, object]
    files: Mapping[str, bytes] = field(default_factory=dict[str, bytes])

    @property
    def bytes(self) -> int:
        return sum(map(len, self.files.values()))


@dataclass(frozen=True)
class Seen:
    """How far a look has come, and what it has found so far, where that can be shown already."""

    step: int
    steps: int
    found: Found | None = None


Looking = Generator[Seen, None, Found]  # every `Seen` is a place to stop


@dataclass(frozen=True)
class HeldSteps:
    """The last step of each run, held in memory to go on from as from kept ones."""

    made: Mapping[int, StepState]

    def last(self, leg: int) -> int:
        return self.made[leg].index if leg in self.made else -1

    def state(self, leg: int, index: int) -> StepState:
        return self.made[leg]


@dataclass
class Left:
    """What a look that gave way has left, so that it goes on from there. `seen`: its own affair."""

    seen: object = None
    state: Callable[[], StepState] | None = None  # asked before the networks are given back
    held: dict[int, StepState] = field(default_factory=dict[int, StepState])  # by its leg

    def hold(self) -> None:
        """The step is kept as plain numbers from now on."""
        if self.state:
            state, self.state = self.state(), None
            self.held[state.leg] = state

    def of(self, picture: int) -> HeldSteps | None:
        return HeldSteps(self.held) if self.held else None


@dataclass(frozen=True)
class Desk:
    """One finished picture. `request`: what draws it, alone. `path`: its file."""

    request: Drawing
    path: Path
    inputs: Inputs
    left: Left = field(default_factory=Left)

    def picture(self) -> Image.Image:
        """As it was drawn, before an upscaler enlarged it. Raises `UserError` when it is not there."""
        drawn, size = self.as_drawn() or self._file(), (self.request.width, self.request.height)
        is_larger = drawn.size != size and enlarger_of(self.request)
        return drawn.resize(size, Image.Resampling.LANCZOS) if is_larger else drawn

    def as_drawn(self) -> Image.Image | None:
        """Before an upscaler enlarged it, where it is known."""
        kept = self.request.as_drawn if isinstance(self.request, DrawnSmall) else ""
        try:
            return self.inputs.open(kept) if kept else None
        except UserError:
            return None

    def _file(self) -> Image.Image:
        try:
            with Image.open(self.path) as picture:
                return picture.convert("RGB")
        except OSError as error:
            raise UserError(GONE) from error


def jpeg(picture: Image.Image, quality: int = 88) -> bytes:
    return _written(picture, "jpeg", quality=quality)


def png(picture: Image.Image) -> bytes:
    return _written(picture, "png", compress_level=1)


def _written(picture: Image.Image, kind: str, **options: int) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()
