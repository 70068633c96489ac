"""The time line under a prompt: what it says at each step that really runs, and the numbers in the text that decide it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from models.errors import UserError
from pipelines.prompts.changes import Change
from pipelines.prompts.grammar import Prompt
from pipelines.prompts.schedule import Interval, Pass, Schedule, said_of
from pipelines.requests.pace import read_pace

MOST_WORDS = 300  # characters of a prompt that are shown of a step
MOST_CHANGES = 8  # of which the words of a stretch tell
MOST_EDGES = 40
MOST_LANES = 16
NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Calls of the network, from 0, `first` to `last`, that are told the same. `says`: what the changes say; `whole`: the plain prompt."""

    first: int
    last: int
    says: str
    whole: str


@dataclass(frozen=True, slots=True)
class Edge:
    """The number of a schedule, text[start:end], whose second option is said from call `at` on, 0 .. calls that are made."""

    at: int
    start: int
    end: int
    is_share: bool


@dataclass(frozen=True, slots=True)
class Lane:
    """A LoRA whose strength changes: the strength on the UNet at each step that is made."""

    name: str
    strengths: tuple[float, ...]


@dataclass(frozen=True)
class TimeLine:
    """`shares`, `calls`: the number that is written for an edge at each call, 0 .. calls that are made, one more than those."""

    calls_a_step: int
    stretches: tuple[Stretch, ...]
    edges: tuple[Edge, ...] = ()
    shares: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    lanes: tuple[Lane, ...] = ()


def time_line(said: Schedule, prompt: Prompt, typed: Prompt) -> TimeLine | None:
    """None where nothing changes. `typed`: the prompt before anything was chosen in it, whose numbers stand in the text."""
    over = said.over
    schedules = [change for change in typed.changes if change.kind == "schedule"][:MOST_EDGES]
    lanes = tuple(_lanes(prompt, over))
    if not (schedules or lanes or len(said.made) > 1):
        return None
    edges = tuple(_edge(change, typed, over) for change in schedules)
    shares, calls = ([over.when(_last(place), as_share) for place in range(over.made + 1) if edges] for as_share in (True, False))
    stretches = tuple(_stretch(each, prompt, over) for each in said.made)
    return TimeLine(over.calls_a_step, stretches, edges, tuple(shares), tuple(calls), lanes)


def _lanes(prompt: Prompt, over: Pass) -> Iterator[Lane]:
    """Of the tags that can be read."""
    steps = over.made // over.calls_a_step
    for written in prompt.tags[:MOST_LANES]:
        with suppress(UserError):
            tag = written.read()
            if pace := read_pace(tag.pace):
                yield Lane(tag.name[:MOST_WORDS], tuple(tag.unet * pace.at(step, steps) for step in range(steps)))


def _last(at: int) -> int:
    """The last call that says the first option, where the second one begins at a call. The first two calls always say the same."""
    return at - 1 if at > 1 else 0


def _edge(change: Change, typed: Prompt, over: Pass) -> Edge:
    last = over.last_call(change)
    return Edge(min(last + 1, over.made) if last > 0 else 0, *typed.in_text(change.when_at), "." in change.when)


def _stretch(interval: Interval, prompt: Prompt, over: Pass) -> Stretch:
    whole = " AND ".join(" ".join(said.text.split()) for said in interval.said)
    return Stretch(interval.first, interval.last, " · ".join(_says(interval.first, prompt, over)), whole[:MOST_WORDS])


def _says(call: int, prompt: Prompt, over: Pass) -> Iterator[str]:
    changes = [change for part in prompt.parts for change in part.words.changes]
    for change in changes[:MOST_CHANGES]:
        yield " ".join(said_of(prompt.bare, change, call, over).split())[:MOST_WORDS] or NOTHING
