"""Lanes of the time line: what acts at some steps more than at others, beside the words: LoRAs, control units, the refiner, guidance."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Literal, Protocol

from models.errors import UserError
from models.files import ModelFile
from pipelines.prompts.grammar import Prompt
from pipelines.requests.groups import GUIDANCE
from pipelines.requests.guidance import scale_at
from pipelines.requests.pace import read_pace
from pipelines.requests.request import Drawing
from pipelines.requests.steps import Steps, steps_of

MOST_LANES = 16
LONGEST_NAME = 300  # characters


class Models(Protocol):
    """The library, as far as it is asked here."""

    def model(self, model_id: str) -> ModelFile: ...


@dataclass(frozen=True, slots=True)
class Lane:
    """What does not act alike throughout: how strongly at each step that is made.

    Of a LoRA it is the strength on the UNet, of a control unit its weight, of a refiner 0 or 1, of guidance its scale, 0 where it is off.
    """

    sort: Literal["LoRA", "Control", "Refiner", "Guidance"]
    name: str
    strengths: tuple[float, ...]


def lanes_of(request: Drawing, prompt: Prompt, models: Models, constant: bool = False) -> tuple[Lane, ...]:
    """`prompt`: that of the request, whose tags stand beside the request's own LoRAs. `constant`: with what acts alike throughout."""
    steps = steps_of(request)
    found = islice(_lanes(request, prompt, steps, models, constant), MOST_LANES)
    return tuple(Lane(each.sort, each.name[:LONGEST_NAME], each.strengths) for each in found)


def _lanes(request: Drawing, prompt: Prompt, steps: Steps, models: Models, constant: bool) -> Iterator[Lane]:
    for name, strength, pace in (*_listed(request, models), *_tagged(prompt)):
        with suppress(UserError):  # a pace that cannot be read is told elsewhere
            if read := read_pace(pace):
                yield Lane("LoRA", name, tuple(strength * read.at(step, steps.run) for step in range(steps.run)))
            elif constant:
                yield Lane("LoRA", name, (strength,) * steps.run)
    for use in request.controls:
        strengths = tuple(use.weight_at(step, steps.run) for step in range(steps.run))
        if use.id and (constant or len(set(strengths)) > 1):
            yield Lane("Control", use.name or _name_of(use.id, models), strengths)
    if request.refiner:
        yield Lane("Refiner", _name_of(request.refiner, models), tuple(map(float, _refined(request, steps))))
    scales = tuple(scale_at(request, index, steps.run) or 0.0 for index in range(steps.run))
    if len(set(scales)) > 1:
        yield Lane("Guidance", GUIDANCE.title.lower(), scales)


def _listed(request: Drawing, models: Models) -> Iterator[tuple[str, float, str]]:
    for use in request.loras:
        yield use.name or _name_of(use.id, models), use.unet, use.pace


def _tagged(prompt: Prompt) -> Iterator[tuple[str, float, str]]:
    for written in prompt.tags:
        with suppress(UserError):
            tag = written.read()
            yield tag.name, tag.unet, tag.pace


def _name_of(model_id: str, models: Models) -> str:
    """The id itself where there is no such model: a form or a record may have it from elsewhere."""
    with suppress(UserError):
        return models.model(model_id).name
    return model_id


def _refined(request: Drawing, steps: Steps) -> Iterator[bool]:
    """Whether each step that is made is the refiner's: by its share of all that are planned, as the steps themselves go."""
    return (index / steps.planned >= request.refiner_start for index in range(steps.skipped, steps.planned))
