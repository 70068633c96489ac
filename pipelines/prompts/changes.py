"""Brackets that change what is said from step to step, as A1111 1.10 reads them (modules/prompt_parser.py).

    [from:to:when]  [to:when]  [from::when]     a schedule: one until a step, the other after it
    [a|b|c]                                     an alternation: another one at each step

What a bracket holds must be whole: brackets in it closed, no colon or bar that does not belong to it. Else it is no change, and nothing
around it is one, but what stands in it may be. A backslash takes the meaning of the next character, and stays for the weights.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

DEEPEST = 100  # changes within changes
MOST_CHANGES = 200  # in one prompt
SIGN = re.compile(r"\\.|[\[\]():|]", re.DOTALL)
NUMBER = re.compile(r"\s*([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)\s*")
LONGEST_NUMBER = 400  # characters, with the spaces around it

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Words:
    """text[start:end], in which the changes are replaced by what they say."""

    start: int
    end: int
    changes: tuple[Change, ...] = ()  # those that lie in no other one


@dataclass(frozen=True, slots=True)
class Change:
    """text[start:end], brackets and all. A schedule has two options, the second one from a step on, an alternation takes turns."""

    kind: Literal["schedule", "alternation"]
    start: int
    end: int
    options: tuple[Words, ...]
    when: str = ""  # of a schedule: the number as it is written
    when_at: Span = (0, 0)
    depth: int = 1  # changes in one another, itself included


@dataclass(frozen=True, slots=True)
class Near:
    """text[start:end] looks like a change and is none. `why` begins the reason."""

    start: int
    end: int
    why: str


@dataclass(slots=True)
class _Open:
    bracket: str  # "[" or "("
    start: int
    signs: list[Span] = field(default_factory=list[Span])  # of colons and bars directly in it
    broken: bool = False  # it holds what it may not hold


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text says, what in it is nearly a change, and why it cannot be drawn, a sentence."""

    words: Words
    near: tuple[Near, ...] = ()
    problem: str = ""


def changes_in(text: str, start: int, end: int) -> Reading:
    """Reads text[start:end]. Any text can be read, in time linear in its length."""
    if "[" not in text or "]" not in text or not (":" in text or "|" in text):
        return Reading(Words(start, end))
    reader = _Reader(text)
    for sign in SIGN.finditer(text, start, end):
        reader.take(sign)
        if reader.problem:
            return Reading(Words(start, end), (), reader.problem)
    return Reading(Words(start, end, tuple(reader.found)), tuple(reader.near))


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._open: list[_Open] = []
        self._square = 0  # of those that are open
        self.found: list[Change] = []
        self.near: list[Near] = []
        self._count = 0
        self.problem = ""

    def take(self, sign: re.Match[str]) -> None:
        character = sign[0]
        if character in "[(":
            self._open.append(_Open(character, sign.start()))
            self._square += character == "["
        elif character == ")":
            self._close_round()
        elif character == "]":
            self._close_square(sign.end())
        elif character in ":|" and self._open:
            self._open[-1].signs.append(sign.span())

    def _close_round(self) -> None:
        """Only what is opened last can be closed; elsewhere it is a stray sign."""
        if self._open and self._open[-1].bracket == "(":
            closed = self._open.pop()
            signs = [self._text[start] for start, _ in closed.signs]
            self._break(closed.broken or len(signs) > 1 or "|" in signs)
        else:
            self._break(True)

    def _break(self, is_broken: bool) -> None:
        """What cannot be read breaks what it stands in."""
        if self._open and is_broken:
            self._open[-1].broken = True

    def _close_square(self, end: int) -> None:
        if not self._square:
            self._break(True)
            return
        stray = False
        while self._open[-1].bracket == "(":
            self._open.pop()
            stray = True
        closed = self._open.pop()
        self._square -= 1
        if stray or closed.broken:
            self._break(True)
        elif closed.signs:
            self._decide(closed, end)

    def _decide(self, closed: _Open, end: int) -> None:
        signs = {self._text[start] for start, _ in closed.signs}
        edges = [closed.start + 1, *(edge for sign in closed.signs for edge in sign), end - 1]
        spans = list(zip(edges[::2], edges[1::2], strict=True))
        if signs == {"|"}:
            self._add("alternation", closed.start, end, spans)
        elif signs == {":"} and (number := self._number(spans[-1])) and len(spans) <= 3:
            before = spans[:-1] if len(spans) == 3 else [(closed.start + 1, closed.start + 1), spans[0]]
            self._add("schedule", closed.start, end, before, number)
        else:
            self._miss(closed.start, end, signs, spans)
            self._break(True)

    def _number(self, span: Span) -> Span | None:
        found = NUMBER.fullmatch(self._text, *span) if span[1] - span[0] <= LONGEST_NUMBER else None
        return found.span(1) if found else None

    def _add(self, kind: Literal["schedule", "alternation"], start: int, end: int, spans: Sequence[Span], when: Span = (0, 0)) -> None:
        """It takes along those that were found in it."""
        inner: list[Change] = []
        while self.found and self.found[-1].start > start:
            inner.append(self.found.pop())
        depth = 1 + max((each.depth for each in inner), default=0)
        options = tuple(_divided(spans, inner))
        self.found.append(Change(kind, start, end, options, self._text[slice(*when)], when, depth))
        self._count += 1
        if depth > DEEPEST:
            self.problem = f"Schedules and alternations stand more than {DEEPEST} deep in one another. Take some out."
        elif self._count > MOST_CHANGES:
            self.problem = f"There are more than {MOST_CHANGES} schedules and alternations, the most that are read. Take some out."

    def _miss(self, start: int, end: int, signs: set[str], spans: Sequence[Span]) -> None:
        last = " ".join(self._text[slice(*spans[-1])][:40].split())
        if len(signs) == 2:
            self.near.append(Near(start, end, "it has : and | in one pair of brackets. Give the inner part brackets of its own"))
        elif len(spans) == 3:
            self.near.append(Near(start, end, f"“{last}” is no number. Write a step or a share of the steps, as in 0.5"))
        elif len(spans) > 3 and self._number(spans[-1]):
            self.near.append(Near(start, end, "it has too many colons. Write \\: for one that is a word"))


def _divided(spans: Sequence[Span], inner: list[Change]) -> Iterator[Words]:
    """The options with the changes that lie in each. `inner`: the last one first; what does not lie in the options is left over."""
    for start, end in spans:
        while inner and inner[-1].start < start:
            inner.pop()
        own: list[Change] = []
        while inner and inner[-1].start < end:
            own.append(inner.pop())
        yield Words(start, end, tuple(own))


def every(words: Words) -> Iterator[Change]:
    """All changes, each before those in it."""
    for change in words.changes:
        yield change
        for option in change.options:
            yield from every(option)


def joined(spans: Iterator[Span]) -> tuple[Span, ...]:
    """Without empty ones, neighbours as one."""
    found: list[Span] = []
    for start, end in spans:
        if found and found[-1][1] == start:
            found[-1] = found[-1][0], end
        elif start < end:
            found.append((start, end))
    return tuple(found)
