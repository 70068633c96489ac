"""Unread syntax: what other studios act on and Atelier does not yet. It is drawn as plain words, and said, each by its name."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.prompts.grammar import Prompt
from pipelines.prompts.weights import Group

SCHEDULE = re.compile(r"(?:^|[^\\])(?:\\\\)*:\s*[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?\s*$")
BAR = re.compile(r"\\.|[()\[\]]|\|", re.DOTALL)
JOINED = re.compile(r"\bAND\b")
PLAIN = {  # no pattern can look at a character more than a hundred times
    "tag": re.compile(r"<[A-Za-z_]\w{0,30}(?:\[[^\[\]<>]{0,100}\])?:[^<>]{1,1000}>"),
}
SAID = {
    "schedule": "is a schedule, which switches words while a picture forms. Schedules are not read yet",
    "alternation": "alternates between words from step to step. Alternations are not read yet",
    "joined": "would join two prompts. That is not read yet",
    "tag": "is a tag that Atelier does not have",
}
SHOWN = 3  # of each kind
LONGEST = 60  # characters that are quoted


@dataclass(frozen=True, slots=True)
class Unread:
    kind: str  # a key of `SAID`
    text: str


def unread(prompt: Prompt, joins: bool = True) -> list[Unread]:
    """What is not understood, each text once, kind by kind. `joins`: whether AND would mean something here; not in a negative prompt."""
    found = [*_scheduled(prompt), *(_joined(prompt) if joins else ()), *_plain(prompt)]
    named = "\n".join(run.text for run in prompt.runs if run.name)
    return list(dict.fromkeys(each for each in found if each.text not in named))


def sentences(found: list[Unread]) -> Iterator[str]:
    """A sentence for each kind, with at most three examples."""
    for kind, said in SAID.items():
        texts = [f"“{_short(each.text)}”" for each in found if each.kind == kind]
        if texts:
            more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
            yield f"{', '.join(texts[:SHOWN])}{more} {said}: drawn as plain words."


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _scheduled(prompt: Prompt) -> Iterator[Unread]:
    square = [group for group in prompt.groups if group.bracket == "["]
    barred: set[tuple[int, int]] = _barred(prompt) if square else set()
    for group in sorted(square, key=lambda group: group.start):
        if (group.start, group.end) in barred:
            yield Unread("alternation", prompt.bare[group.start : group.end])
        elif SCHEDULE.search(prompt.bare[max(group.start + 1, group.end - 60) : group.end - 1]):
            yield Unread("schedule", prompt.bare[group.start : group.end])


def _barred(prompt: Prompt) -> set[tuple[int, int]]:
    """The square brackets that have a bar directly in them, and not in brackets within them."""
    begins, ends = {group.start: group for group in prompt.groups}, {group.end for group in prompt.groups}
    opened: list[Group] = []
    closed: set[int] = set()
    barred: set[tuple[int, int]] = set()
    for match in BAR.finditer(prompt.bare):
        if match[0] == "|" and opened and opened[-1].bracket == "[":
            barred.add((opened[-1].start, opened[-1].end))
        elif match[0] in "([" and match.start() in begins:
            opened.append(begins[match.start()])
        elif match[0] in ")]" and match.end() in ends:
            closed.add(match.end())
            while opened and opened[-1].end in closed:
                opened.pop()
    return barred


def _joined(prompt: Prompt) -> Iterator[Unread]:
    if any(not run.name and JOINED.search(run.text) for run in prompt.runs):
        yield Unread("joined", "AND")


def _plain(prompt: Prompt) -> Iterator[Unread]:
    for kind, pattern in PLAIN.items():
        yield from (Unread(kind, match[0]) for match in pattern.finditer(prompt.bare))
