"""Time lines under a prompt: what each prompt says at each step that really runs, and the numbers in the text that decide it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from models.errors import UserError
from pipelines.metadata.two_passes import first_pass, unsized
from pipelines.prompts.asked import asked_by
from pipelines.prompts.changes import Change
from pipelines.prompts.grammar import NO_NAMES, Prompt, parse
from pipelines.prompts.marks import JOINS, as_typed
from pipelines.prompts.names import Names
from pipelines.prompts.schedule import Interval, Pass, Schedule, said_of
from pipelines.requests.request import Drawing, TextToImage
from pipelines.services import answers
from pipelines.services.time_lanes import Lane, Models, lanes_of

MOST_WORDS = 300  # characters of a prompt that are shown of a step
MOST_CHANGES = 8  # of which the words of a stretch tell
MOST_EDGES = 40
NOTHING = "nothing"
IN_SECOND = "In the second pass: "
TITLES = {"prompt": "Prompt", "negative_prompt": "Negative prompt", "second_prompt": "Second prompt"}
AGAIN = {"prompt": "Second pass", "negative_prompt": "Negative prompt of the second pass"}  # whose second prompt is that of the first


@dataclass(frozen=True, slots=True)
class Voice:
    """One prompt in one pass. `field`: whose text it is. `lanes`: what acts beside it."""

    field: str
    title: str
    prompt: Prompt
    said: Schedule
    lanes: tuple[Lane, ...] = ()

    @property
    def is_second(self) -> bool:
        """It is of a second pass."""
        return self.title in AGAIN.values()


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
    """What is said and what acts from step to step. `field`: whose text its edges stand in.

    `shares`, `calls`: the number that is written for an edge at each call, 0 .. calls that are made, one more than those.
    """

    field: str
    title: str
    calls_a_step: int
    stretches: tuple[Stretch, ...]
    edges: tuple[Edge, ...] = ()
    shares: tuple[str, ...] = ()
    calls: tuple[str, ...] = ()
    lanes: tuple[Lane, ...] = ()


def voices(request: Drawing, models: Models, names: Names = NO_NAMES) -> list[Voice]:
    """The prompts of a drawing in the order in which they are shown, the prompt first; those of its second pass last.

    Raises `UserError` where one cannot be drawn.
    """
    found = list(_voices(request, models, names, dict(zip(TITLES, TITLES, strict=True)), TITLES))
    if isinstance(request, TextToImage) and request.hires:
        second = replace(unsized(request), first=(first_pass(request, ""),))
        fields = {name: own if getattr(request, own := f"hires_{name}") else name for name in AGAIN}
        try:
            found += _voices(second, models, names, fields, AGAIN)
        except UserError as error:
            raise UserError(f"{IN_SECOND}{error}") from None
    return found


def _voices(request: Drawing, models: Models, names: Names, fields: Mapping[str, str], titles: Mapping[str, str]) -> Iterator[Voice]:
    asked = asked_by(request)
    schedules = {"prompt": asked.prompt, "negative_prompt": asked.negative, "second_prompt": asked.second}
    for name, field in fields.items():
        if said := schedules[name]:
            prompt = parse(getattr(request, name), names, JOINS[name])
            yield Voice(field, titles[name], prompt, said, lanes_of(request, prompt, models) if name == "prompt" else ())


def time_lines(found: Sequence[Voice], typed: Mapping[str, str] | None = None) -> tuple[TimeLine, ...]:
    """Of those in which something changes. `typed`: field -> its text before anything was chosen in it, in which the numbers of the edges
    stand; None where the lines are only looked at.
    """
    lines = (time_line(each, as_typed(typed[each.field], JOINS[each.field]) if typed else None) for each in found)
    return tuple(line for line in lines if line)


def time_line(voice: Voice, typed: Prompt | None) -> TimeLine | None:
    """None where nothing changes. `typed`: see `time_lines`."""
    said, over = voice.said, voice.said.over
    schedules = [change for change in (typed.changes if typed else ()) if change.kind == "schedule"][:MOST_EDGES]
    if not (schedules or voice.lanes or len(said.made) > 1):
        return None
    edges = tuple(_edge(change, typed, over) for change in schedules) if typed else ()
    shares, calls = ([over.when(_last(place), as_share) for place in range(over.made + 1) if edges] for as_share in (True, False))
    stretches = tuple(_stretch(each, voice.prompt, over) for each in said.made)
    return TimeLine(voice.field, voice.title, over.calls_a_step, stretches, edges, tuple(shares), tuple(calls), voice.lanes)


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


def lines_told(lines: Sequence[TimeLine], places: Callable[[str], Sequence[int]] = lambda field: ()) -> list[answers.TimeLine]:
    """As the page has them. `places`: of each character of a field's text, as the page counts them; asked for where there are edges."""
    return [_told(line, places(line.field) if line.edges else ()) for line in lines]


def _told(line: TimeLine, places: Sequence[int]) -> answers.TimeLine:
    return {
        "field": line.field,
        "title": line.title,
        "per": line.calls_a_step,
        "stretches": [{"first": each.first, "last": each.last, "says": each.says, "whole": each.whole} for each in line.stretches],
        "edges": [{"at": each.at, "start": places[each.start], "end": places[each.end], "share": each.is_share} for each in line.edges],
        "shares": list(line.shares),
        "calls": list(line.calls),
        "lanes": [{"sort": each.sort, "name": each.name, "strengths": list(each.strengths)} for each in line.lanes],
    }
