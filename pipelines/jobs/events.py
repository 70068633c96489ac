"""Events of a running job: a step was made, a picture is done. Nothing else."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from PIL.Image import Image

    from pipelines.requests.request import Request
    from pipelines.steps.state import Numbers, StepState

Made = TypeVar("Made")
Heard = TypeVar("Heard")
Told = TypeVar("Told")


@dataclass(frozen=True, slots=True)
class Step:
    """One sampling step was made, for every picture of one batch; or one part of work that has none.

    `preview` makes the small picture of the predicted clean latents (PNG or JPEG bytes) when somebody asks, outside the
    worker; a step that nobody looks at costs nothing. No bytes: there is nothing to look at yet. `state` likewise makes plain numbers of
    what the step leaves behind, for as long as the event is held.
    """

    index: int  # 1 .. count; 0 for what only has begun
    count: int  # steps of this batch
    batch: int  # 0 .. batches - 1
    batches: int
    preview: Callable[[], bytes] = bytes
    before: str = ""  # work that goes before the drawing, and is counted by itself: what is done, as people are told
    state: Callable[[], StepState] | None = None  # None: nobody could go on from here


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished picture and the exact request that makes it again, alone: its own seed, a batch of one."""

    image: Image
    request: Request
    made_with: dict[str, str]  # what the request named, by name and hash: {"Model": ..., "Model hash": ...}
    index: int  # 0 .. count - 1, within the job
    count: int
    frames: tuple[Image, ...] = ()  # of a picture that moves, the first of which is `image`
    latents: Numbers | None = None  # that these were decoded from, (frames, channels, h, w)


Event = Step | Picture


def retold(work: Generator[Heard, None, Made], tell: Callable[[Heard], Told]) -> Generator[Told, None, Made]:
    """The work, which tells of each event what `tell` makes of it. Returns what the work makes."""
    while True:
        try:
            event = next(work)
        except StopIteration as end:
            return end.value
        yield tell(event)


def among(before: int, count: int) -> Callable[[Event | None], Event | None]:
    """Steps of one part of the work, as those of all parts: `before` were made by others, and `count` are made in all."""
    return lambda event: replace(event, index=before + event.index, count=count) if isinstance(event, Step) else event
