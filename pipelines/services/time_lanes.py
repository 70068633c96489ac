"""Lanes of the time line: what acts at some steps more than at others, beside the words. LoRAs, control units and the refiner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from models.errors import UserError
from pipelines.prompts.grammar import Prompt
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.pace import read_pace
from pipelines.requests.request import Drawing
from pipelines.requests.steps import Steps, steps_of

MOST_LANES = 16
LONGEST_NAME = 300  # characters

NameOf = Callable[[str], str]  # of a model, by its id


@dataclass(frozen=True, slots=True)
class Lane:
    """What does not act alike throughout: how strongly at each step that is made.

    Of a LoRA it is the strength on the UNet, of a control unit its weight, of a refiner 0 or 1.
    """

    sort: Literal["LoRA", "Control", "Refiner"]
    name: str
    strengths: tuple[float, ...]


def lanes_of(request: Drawing, prompt: Prompt, name_of: NameOf) -> tuple[Lane, ...]:
    """`prompt`: that of the request, whose tags stand beside the request's own LoRAs."""
    steps = steps_of(request)
    found = islice(_lanes(request, prompt, steps, name_of), MOST_LANES)
    return tuple(Lane(each.sort, each.name[:LONGEST_NAME], each.strengths) for each in found)


def _lanes(request: Drawing, prompt: Prompt, steps: Steps, name_of: NameOf) -> Iterator[Lane]:
    for name, strength, pace in (*_listed(request, name_of), *_tagged(prompt)):
        with suppress(UserError):  # a pace that cannot be read is told elsewhere
            if read := read_pace(pace):
                yield Lane("LoRA", name, tuple(strength * read.at(step, steps.run) for step in range(steps.run)))
    for use in request.controls:
        strengths = tuple(use.weight_at(step, steps.run) for step in range(steps.run))
        if use.id and len(set(strengths)) > 1:
            yield Lane("Control", _name(use, name_of), strengths)
    if request.refiner:
        yield Lane("Refiner", name_of(request.refiner), tuple(map(float, _refined(request, steps))))


def _listed(request: Drawing, name_of: NameOf) -> Iterator[tuple[str, float, str]]:
    for use in request.loras:
        yield use.name or name_of(use.id), use.unet, use.pace


def _tagged(prompt: Prompt) -> Iterator[tuple[str, float, str]]:
    for written in prompt.tags:
        with suppress(UserError):
            tag = written.read()
            yield tag.name, tag.unet, tag.pace


def _name(use: ControlUse, name_of: NameOf) -> str:
    return use.name or name_of(use.id)


def _refined(request: Drawing, steps: Steps) -> Iterator[bool]:
    """Whether each step that is made is the refiner's: by its share of all that are planned, as the steps themselves go."""
    return (index / steps.planned >= request.refiner_start for index in range(steps.skipped, steps.planned))
