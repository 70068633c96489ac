"""The time line under a prompt: what it says at each step that really runs, and the numbers in the text that decide it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipelines.prompts.changes import Change
from pipelines.prompts.grammar import Prompt
from pipelines.prompts.schedule import Interval, Pass, Schedule, said_of
from pipelines.services import answers
from pipelines.services.time_lanes import Lane

MOST_WORDS = 300  # characters of a prompt that are shown of a step
MOST_CHANGES = 8  # of which the words of a stretch tell
MOST_EDGES = 40
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


@dataclass(frozen=True)
class TimeLine:
    """What is said and what acts from step to step.

    `shares`, `calls`: the number that is written for an edge at each call, 0 .. calls that are made, one more than those.
    """

    calls_a_step: int
    stretches: tuple[Stretch, ...]
    edges: tuple[Edge, ...] = ()
    shares: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    lanes: tuple[Lane, ...] = ()


def time_line(said: Schedule, prompt: Prompt, typed: Prompt | None, lanes: tuple[Lane, ...] = ()) -> TimeLine | None:
    """None where nothing changes. `typed`: the prompt before anything was chosen in it, whose numbers stand in the text below which the
    line is shown; None where it is only looked at.
    """
    over = said.over
    schedules = [change for change in (typed.changes if typed else ()) if change.kind == "schedule"][:MOST_EDGES]
    if not (schedules or lanes or len(said.made) > 1):
        return None
    edges = tuple(_edge(change, typed, over) for change in schedules) if typed else ()
    shares, calls = ([over.when(_last(place), as_share) for place in range(over.made + 1) if edges] for as_share in (True, False))
    stretches = tuple(_stretch(each, prompt, over) for each in said.made)
    return TimeLine(over.calls_a_step, stretches, edges, tuple(shares), tuple(calls), lanes)


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


def line_told(line: TimeLine | None, places: Sequence[int] = ()) -> answers.TimeLine | None:
    """As the page has it. `places`: of each character of the text in which the edges stand, as the page counts them."""
    if line is None:
        return None
    return {
        "per": line.calls_a_step,
        "stretches": [{"first": each.first, "last": each.last, "says": each.says, "whole": each.whole} for each in line.stretches],
        "edges": [{"at": each.at, "start": places[each.start], "end": places[each.end], "share": each.is_share} for each in line.edges],
        "shares": list(line.shares),
        "calls": list(line.calls),
        "lanes": [{"sort": each.sort, "name": each.name, "strengths": list(each.strengths)} for each in line.lanes],
    }
