"""What the prompts of a request say from step to step: the one reading that drawing, embeddings and notes share."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property

from models.errors import UserError
from pipelines.prompts.grammar import parse
from pipelines.prompts.schedule import Pass, Said, Schedule, plain, schedule
from pipelines.requests.details import said
from pipelines.requests.guidance import NO_LOOK, asks_empty, may_guide, rows_a_step
from pipelines.requests.request import Details, Drawing, SecondPass
from pipelines.requests.steps import steps_of
from pipelines.requests.wording import WEIGHTS_ALONE
from pipelines.samplers import SAMPLERS

NOT_JOINED = "AND joins prompts over the whole picture, which regions divide. Write “and”, or take the regions out."


@dataclass(frozen=True, slots=True)
class AtOnce:
    """What is said at one call of the network. `second`: to the second text encoder, in place of the prompt; None: the same. `empty`: with
    an empty negative prompt as well.
    """

    prompts: tuple[Said, ...]
    negative: str | None = None  # None: no negative prompt is read
    second: str | None = None
    regions: tuple[str, ...] = ()  # in the regions that act; what has no words says the prompt
    empty: bool = False


@dataclass(frozen=True)
class Asked:
    """The schedules of a request's prompts."""

    prompt: Schedule
    negative: Schedule | None  # None: it does not act
    second: Schedule | None  # for the second text encoder; None: it reads the prompt
    regions: tuple[Schedule, ...] = ()  # of those that act
    empty: bool = False  # an empty negative prompt acts as well, where one acts

    @cached_property
    def calls(self) -> tuple[AtOnce, ...]:
        """What is said at each call, whether or not all are made."""
        return tuple(map(self._at, range(self.prompt.over.calls)))

    def _at(self, call: int) -> AtOnce:
        negative = self.negative.at_call(call)[0].text if self.negative else None
        second = self.second.at_call(call)[0].text if self.second else None
        regions = tuple(each.at_call(call)[0].text for each in self.regions)
        return AtOnce(self.prompt.at_call(call), negative, second, regions, self.empty and negative is not None)

    @property
    def texts(self) -> Iterator[str]:
        """All that text encoders read."""
        for each in (self.prompt, self.negative, self.second, *self.regions):
            yield from each.texts if each else ()


def pass_of(request: Drawing) -> Pass:
    """The pass that draws it; of several rounds, the first."""
    first = request.first[0] if isinstance(request, SecondPass) and request.first else None
    before = first.steps * SAMPLERS[first.sampler].calls_per_step if first else None
    return Pass(request.steps, SAMPLERS[request.sampler].calls_per_step, steps_of(request).run, before)


def asked_by(request: Drawing) -> Asked:
    """Raises `UserError` when a prompt cannot be drawn."""
    prompt = _schedule(request, request.prompt)
    acts = may_guide(request) or prompt.is_joined  # guidance 1 needs the prompt alone, as nothing is multiplied by the rest
    second = _schedule(request, request.second_prompt, joins=False) if request.second_prompt.strip() else None
    negative = _schedule(request, request.negative_prompt, joins=False) if acts else None
    regions = tuple(_schedule(request, region.prompt.strip() or request.prompt, joins=False) for region in request.divided.values())
    if regions and prompt.is_joined:
        raise UserError(NOT_JOINED)
    return Asked(prompt, negative, second, regions, asks_empty(request))


def share_of_work(request: Drawing) -> float:
    """How long a call takes, in the mean of all steps, beside one that is guided by one prompt: of prompts that AND joins, each is told to
    the network by itself, and where guidance is off the prompt is alone.
    """
    rows = rows_of(request)
    return sum(rows) / len(rows) / 2


def is_guided(request: Drawing) -> bool:
    """Whether two things are asked of the network side by side, at some step at least."""
    return max(rows_of(replace(request, third_look=NO_LOOK))) > 1  # that is a call of its own


def rows_of(request: Drawing) -> list[int]:
    """What the network is asked at each step. A prompt that cannot be drawn counts as one."""
    joined = 1 if request.language == WEIGHTS_ALONE else len(parse(request.prompt).parts)
    apart = 1 + len(request.dressed)  # with the LoRAs of each region all is asked once more
    return [apart * rows for rows in rows_a_step(request, max(1, steps_of(request).run), joined)]


def texts_of(request: Drawing) -> Iterator[str]:
    """All that text encoders read for it, boxes and all. Raises `UserError` when a prompt cannot be drawn."""
    yield from asked_by(request).texts
    for box in request.boxes if isinstance(request, Details) else ():
        yield from _schedule(request, said(box.prompt, request.prompt) or "").texts


def _schedule(request: Drawing, text: str, joins: bool = True) -> Schedule:
    if request.language == WEIGHTS_ALONE:
        return plain(text, pass_of(request))
    return schedule(parse(text, joins=joins), pass_of(request))
