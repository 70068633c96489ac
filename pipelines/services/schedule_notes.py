"""Notes on what changes in a prompt from step to step: each schedule in the steps of this run, what is joined, what is switched off."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from pipelines.prompts.changes import Change
from pipelines.prompts.grammar import Prompt
from pipelines.prompts.schedule import Pass, Schedule, said_of
from pipelines.prompts.unread import short

SHOWN = 3  # of one kind
TURNS = 5  # options of an alternation
NOTHING = "nothing"


def changes_told(prompt: Prompt, over: Pass, where: str = "") -> Iterator[str]:
    """A sentence for each schedule and alternation that lies in no other one. `where`: of which pass they tell."""
    found = [change for part in prompt.parts for change in part.words.changes]
    for change in found[:SHOWN]:
        yield f"{where}“{short(prompt.bare[change.start : change.end])}”: {_told(prompt, change, over)}."
    if len(found) > SHOWN:
        yield f"{where}{len(found) - SHOWN} more change from step to step."


def joined_told(schedule: Schedule) -> Iterator[str]:
    """What AND joins, with its weights."""
    said = schedule.intervals[0].said
    if len(said) > 1:
        parts = [f"“{short(each.text)}” {each.weight:g}" for each in said]
        more = f" and {len(parts) - SHOWN} more" if len(parts) > SHOWN else ""
        yield f"AND joins {', '.join(parts[:SHOWN])}{more}; each step takes about {(len(said) + 1) / 2:g} times as long."


def switched_off(prompt: Prompt) -> Iterator[str]:
    off = [prompt.text[slice(*each.inner)] for each in prompt.silent if each.kind == "off"]
    if off:
        more = f" and {len(off) - SHOWN} more" if len(off) > SHOWN else ""
        yield f"Switched off: {', '.join(f'“{short(text)}”' for text in off[:SHOWN])}{more}."


def _told(prompt: Prompt, change: Change, over: Pass) -> str:
    calls = [" ".join(said_of(prompt.bare, change, call, over).split()) for call in range(over.made)]
    runs = [(text, [place for place, _ in group]) for text, group in groupby(enumerate(calls), key=lambda each: each[1])]
    if change.kind == "alternation" and len(runs) > len(change.options):
        return _turns([text for text, _ in runs[: len(change.options)]], over)
    if len(runs) == 1:
        return f"{_named(runs[0][0])} in all {over.made // over.calls_a_step} steps"
    return ", ".join(f"{_named(text)} {_steps(places[0], places[-1], over)}" for text, places in runs[:TURNS]) + " …" * (len(runs) > TURNS)


def _turns(texts: Sequence[str], over: Pass) -> str:
    shown = ", ".join(map(_named, texts[:TURNS])) + " …" * (len(texts) > TURNS)
    return f"{shown} by turns, another at each {'step' if over.calls_a_step == 1 else 'call of the network, of which a step makes two'}"


def _named(text: str) -> str:
    return short(text) if text else NOTHING


def _steps(first: int, last: int, over: Pass) -> str:
    """As in “for steps 3–7”, counted from 1. Where a step makes two calls, a change may come between them."""
    per = over.calls_a_step
    begin, end = first // per + 1, last // per + 1
    if first % per == 0 and (last + 1) % per == 0:
        return f"for steps {begin}–{end}" if end > begin else f"for step {begin}"
    edges = ["the middle of " * bool(cut) + f"step {step}" for step, cut in ((begin, first % per), (end, (last + 1) % per))]
    return f"from {edges[0]} to {edges[1]}"
