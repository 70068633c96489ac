"""What a model draws of a picture alone, without words: what every request of this sort has. The sorts: a clip (`clip.py`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self, TypeVar

from models.errors import UserError
from pipelines.requests.base import Request, WithPicture
from pipelines.requests.fields import Choice, Flag, Range, Text
from pipelines.requests.groups import COMPUTED, MODEL, PICTURE, SAMPLING
from pipelines.requests.second_pass import SAMPLER_NAMES, SCHEDULE_NAMES
from pipelines.requests.sizes import MEGAPIXELS
from pipelines.requests.wording import SEEDS


@dataclass(frozen=True, kw_only=True)
class Wordless(WithPicture):
    """A model, a sampler, a seed and a size. The model is lent by its recipe, phase by phase, as a key of the request's kind."""

    family: ClassVar[str] = ""  # of the models that draw this kind
    lighter: ClassVar[str] = "a smaller size"  # what would take less memory

    checkpoint: str = MODEL("", Choice(), "Checkpoint")
    sampler: str = SAMPLING("Euler", Choice(SAMPLER_NAMES), "Sampler", "How each step moves from noise towards the picture")
    schedule: str = SAMPLING("Automatic", Choice(SCHEDULE_NAMES), "Schedule", "How the noise levels are spread over the steps")
    steps: int = SAMPLING(25, Range(1, 150), "Steps", "More steps refine; 25 is usual")
    seed: int = PICTURE(-1, Range(-1, SEEDS - 1), "Seed", "-1 rolls the dice; the seed that was used is kept with the picture")
    as_made: str = COMPUTED("", Text(64), "Made again", derived=True)  # the seal under which the decisions below are obeyed
    threads: int = COMPUTED(0, Range(0, 4096), "Threads", "Of the processor; 0: as many as the studio has", derived=True)
    one_by_one: bool = COMPUTED(False, Flag(), "Branches one by one", "With the picture and without it, as memory has it", derived=True)

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of what is drawn."""
        raise NotImplementedError

    @property
    def plays(self) -> tuple[int, int]:
        """Frames, and frames a second, of what moves; (0, 0) of what stands still."""
        return 0, 0

    @property
    def pixels(self) -> int:
        """Of all that one batch draws."""
        width, height = self.size
        return width * height

    def single(self, index: int) -> Self:
        """The seed must be settled (not -1)."""
        return replace(self, seed=(self.seed + index) % SEEDS)

    def check(self) -> None:
        width, height = self.size
        if width * height > MEGAPIXELS * 1e6:
            area = f"{width} x {height} is {width * height / 1e6:.2f} megapixels; {MEGAPIXELS} is the most"
            raise UserError(f"{area}. Choose a smaller size.")

    def fitted(self, trained: Mapping[str, object], picture: tuple[int, int] | None) -> Self:
        """With what suits the model where that is left to it. `trained`: field -> value; `picture`: the size of what it begins with."""
        return self


Shown = TypeVar("Shown", bound=Wordless)


def plays(request: Request) -> tuple[int, int]:
    """The same of any request."""
    return request.plays if isinstance(request, Wordless) else (0, 0)
