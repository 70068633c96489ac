"""Turns: a thing on a picture, seen from elsewhere. What is asked of a model that turns things: Zero123 and its relatives."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

from models.families import ZERO123
from pipelines.requests.fields import Choice, Range, Stored, Text
from pipelines.requests.groups import COMPUTED, GUIDANCE, MASK, OBJECT, PICTURE, SAMPLING, VIEWS
from pipelines.requests.second_pass import SAMPLER_NAMES
from pipelines.requests.wordless import Wordless

MOST_VIEWS = 24
BY_COLOUR, WHOLE = "Background colour", "Whole picture"
EACH, BOTH, SHEET, LOOP = "Views", "Views and sheet", "Sheet", "Loop"
DISTANCE, ELEVATION = "Distance", "Elevation"  # what a model understands by the last of its four numbers
WALK = "Walk"  # of one that draws all views of a walk around the thing together, and is told no single one
LARGEST = 1024  # pixels of a side


@dataclass(frozen=True, kw_only=True)
class Turn(Wordless):
    """One view of a thing, or several evenly around it, which begin with one noise and are drawn as one batch."""

    kind: ClassVar[str] = "turn"
    title: ClassVar[str] = "Turn"
    family: ClassVar[str] = ZERO123.key
    lighter: ClassVar[str] = "fewer views"

    mask: str = MASK("", Stored(), "Painted", "What is painted is the object; where nothing is, colours tell it")
    cut: str = OBJECT(BY_COLOUR, Choice((BY_COLOUR, WHOLE)), "Cut out by", "What touches the edge in the background's colour becomes white")
    background: str = OBJECT("", Text(7), "Background", "Its colour, like #ffffff; empty: that of the corners")
    tolerance: float = OBJECT(0.1, Range(0, 1, 0.01), "Tolerance", "How far a colour may be from the background's")
    object_size: float = OBJECT(0.78, Range(0.2, 1, 0.01), "Size in the square", "Of its longer side; what the model knows is filled in")
    azimuth: float = VIEWS(0.0, Range(-180, 180, 1), "Around", "Degrees to the right of where the picture was taken")
    elevation: float = VIEWS(0.0, Range(-90, 90, 1), "Higher", "Degrees above where the picture was taken")
    distance: float = VIEWS(0.0, Range(-0.5, 0.5, 0.05), "Nearer", "Below 0 farther away")
    picture_elevation: float = VIEWS(
        0.0, Range(-90, 90, 1), "Own height", "Degrees above the object’s middle from which the picture was taken"
    )
    views: int = VIEWS(1, Range(1, MOST_VIEWS), "Views", "Evenly around the object, from the first")
    gathered: str = VIEWS(BOTH, Choice((EACH, BOTH, SHEET, LOOP)), "Several views become", "A sheet is one picture; a loop plays")
    frames: int = VIEWS(0, Range(0, MOST_VIEWS), "Frames", "Of a loop; 0: it stands still", derived=True)
    frames_a_second: int = VIEWS(8, Range(1, 30), "Frames a second", "Of a loop")
    convention: str = VIEWS("", Choice(("", DISTANCE, ELEVATION, WALK)), "Last number", "What the model understands by it", derived=True)
    sampler: str = SAMPLING("DDIM", Choice(SAMPLER_NAMES), "Sampler", "How each step moves from noise towards the picture")
    steps: int = SAMPLING(50, Range(1, 150), "Steps", "More steps refine; 50 is usual")
    guidance_scale: float = GUIDANCE(3.0, Range(0, 30, 0.1), "Guidance", "How closely the object is kept to; 3 is usual")
    decode_chunk: int = COMPUTED(0, Range(0, MOST_VIEWS), "Frames decoded together", "Of a walk; 0: what fits", derived=True)
    side: int = PICTURE(0, Range(0, LARGEST, 8), "Side", "Pixels of the square, as the model was trained", derived=True)

    @property
    def words(self) -> str:
        if self.views > 1:
            return f"Turned, {self.views} views"
        aside, up = ("left" if self.azimuth < 0 else "right"), ("down" if self.elevation < 0 else "up")
        return f"Turned {abs(self.azimuth):g}° {aside}, {abs(self.elevation):g}° {up}"

    @property
    def size(self) -> tuple[int, int]:
        return self.side, self.side

    @property
    def pixels(self) -> int:
        return self.side**2 * self.views

    @property
    def plays(self) -> tuple[int, int]:
        """Frames, and frames a second, of a loop; (0, 0) of what stands still."""
        return (self.frames, self.frames_a_second) if self.frames else (0, 0)

    @property
    def is_guided(self) -> bool:
        """Whether the network is also asked what it draws without the object."""
        return self.guidance_scale != 1

    @property
    def in_one(self) -> bool:
        """Its views become one picture."""
        return self.convention == WALK or (self.views > 1 and self.gathered in (SHEET, LOOP))

    @property
    def pictures_a_batch(self) -> int:
        return 1 if self.in_one else self.views + (self.views > 1 and self.gathered == BOTH)

    @property
    def shown(self) -> list[Self]:
        """Each view by itself."""
        return [replace(self, views=1, gathered=EACH, frames=0, azimuth=azimuth) for azimuth in around(self.azimuth, self.views)]

    def single(self, index: int) -> Self:
        """Views come first, then the sheet of them."""
        if self.in_one:
            return self
        return self.shown[index] if index < self.views else replace(self, gathered=SHEET, frames=0)

    def fitted(self, trained: Mapping[str, object], picture: tuple[int, int] | None) -> Self:
        """With what the model was trained for: `side`, pixels, `convention`, and of a walk `views`. Without a model that says so, as
        Zero123.
        """
        side, convention = trained.get("side"), trained.get("convention")
        own = side if isinstance(side, int) else ZERO123.native_size
        known = convention if convention in (ELEVATION, WALK) else DISTANCE
        found = replace(self, side=self.side or own, convention=self.convention or known)
        made = found.as_walk(trained.get("views")) if found.convention == WALK else found
        return replace(made, frames=made.views if made.in_one and made.gathered == LOOP else 0)

    def as_walk(self, trained: object) -> Self:
        """Of one that is drawn together: as many frames as it was trained on where one is asked for, in one picture."""
        count = trained if self.views == 1 and isinstance(trained, int) else self.views
        return replace(self, views=count, gathered=self.gathered if self.gathered == SHEET else LOOP)


def around(azimuth: float, count: int) -> list[float]:
    """The azimuths of so many views, evenly around from the first, within -180 .. 180."""
    return [azimuth] if count == 1 else [round((azimuth + 360 * place / count + 180) % 360 - 180, 4) for place in range(count)]
