"""The prompt grammar, read once. Drawing, counting, metadata, notes and file names are views of it; the page's keys share its tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from pipelines.prompts import tags, weights
from pipelines.prompts.changes import Change, Near, Span, Words, changes_in, every
from pipelines.prompts.names import Names
from pipelines.prompts.tags import WrittenTag, split_tags
from pipelines.prompts.weights import Group, Weighted, cut, weigh
from pipelines.requests.added import STRONGEST
from pipelines.wildcards.unsaid import TAG, UNSAID, Unsaid, said, unsaid

NO_NAMES = Names()
SPECIAL = re.compile(r"[\\()\[\]#~]")
MOST_PARTS = 16  # prompts joined by AND
AND = re.compile(r"\bAND\b")
WEIGHT = re.compile(r"\s*:\s*([-+]?(?:[0-9]+\.?|[0-9]*\.[0-9]+))$")
LONGEST_WEIGHT = 60  # characters


@dataclass(frozen=True, slots=True)
class Part:
    """One of the prompts that AND joins, with its weight, -10 .. 10; the only one, where nothing is joined."""

    words: Words
    weight: float = 1.0


@dataclass(frozen=True)
class Prompt:
    """A prompt that was read. Places are those of characters in `bare`; `in_text` says where these stand in the text as written."""

    text: str
    bare: str  # the text without its tags and without what is not said
    places: Sequence[int]  # of each character of `bare` in `text`
    tags: tuple[WrittenTag, ...]  # with their places in `text`
    silent: tuple[Unsaid, ...]  # comments and what is switched off, with their places in `text`
    parts: tuple[Part, ...]  # at least one
    near: tuple[Near, ...] = ()  # what looks like a change and is none
    problem: str = ""  # why it cannot be drawn, a sentence
    known: Names = NO_NAMES

    @property
    def changes(self) -> Iterator[Change]:
        """What changes from step to step, each before those in it."""
        return (change for part in self.parts for change in every(part.words))

    @property
    def is_plain(self) -> bool:
        """It says one thing at all steps."""
        return len(self.parts) == 1 and not self.parts[0].words.changes

    def in_text(self, span: Span) -> Span:
        """Where a part of `bare` stands in the text."""
        start, end = span
        return self._place(start), self._place(end - 1) + 1 if end > start else self._place(start)

    def _place(self, place: int) -> int:
        return self.places[place] if place < len(self.places) else len(self.text)

    @cached_property
    def _weighed(self) -> tuple[tuple[Weighted, ...], tuple[Group, ...]]:
        runs, groups = weigh(self.bare)
        said = [part for run in _merged(runs) for part in _named(run, self.known)] or [Weighted("")]
        return tuple(said if self.bare is self.text else _placed(said, self.places, len(self.text))), tuple(groups)

    @property
    def runs(self) -> tuple[Weighted, ...]:
        """The whole text as weights are read in it, at least one run, perhaps empty. Offsets are places in `text`."""
        return self._weighed[0]

    @property
    def groups(self) -> tuple[Group, ...]:
        """All pairs of brackets in `bare`, inner ones first."""
        return self._weighed[1]


def parse(text: str, names: Names = NO_NAMES, joins: bool = True) -> Prompt:
    """Reads a prompt in which these names stand for embeddings. Any text can be read, in time linear in its length.

    `joins`: whether AND joins prompts; in a negative one it is a word.
    """
    silent = unsaid(text)
    kept, tags = split_tags(text, silent)
    if silent:
        heard = said(text, silent)
        kept = sorted({*kept}.intersection(heard)) if tags else heard
    bare = text if len(kept) == len(text) else "".join(text[place] for place in kept)
    parts, near, problem = _parts(bare, joins)
    return Prompt(text, bare, kept, tags, silent, parts, near, problem, names)


def is_read_otherwise(text: str, joins: bool = True) -> bool:
    """Whether it says something else than it did when weights alone were read."""
    prompt = parse(text, joins=joins)
    return bool(prompt.silent or prompt.problem) or not prompt.is_plain


def parse_weights(text: str) -> tuple[Weighted, ...]:
    """The prompt as runs of equal weight; at least one run, perhaps empty."""
    return plain_runs(text)


def plain_runs(text: str, names: Names = NO_NAMES) -> tuple[Weighted, ...]:
    """What is said at one step, with its weights; at least one run, perhaps empty. Nothing else has a meaning in such a text."""
    runs, _ = weigh(text)
    return tuple(part for run in _merged(runs) for part in _named(run, names)) or (Weighted(""),)


def _parts(bare: str, joins: bool) -> tuple[tuple[Part, ...], tuple[Near, ...], str]:
    edges = [edge for found in AND.finditer(bare) for edge in found.span()] if joins else []
    edges = [0, *edges, len(bare)]
    spans = list(zip(edges[::2], edges[1::2], strict=True))
    if len(spans) > MOST_PARTS:
        said = f"AND joins {len(spans):,} prompts; {MOST_PARTS} are the most. Take some out, or write “and” where it is a word."
        return (Part(Words(0, len(bare))),), (), said
    weighed = [_weight(bare, *span) if len(spans) > 1 else (*span, 1.0) for span in spans]
    read = [(changes_in(bare, start, end), weight) for start, end, weight in weighed]
    problem = next((found.problem for found, _ in read if found.problem), "")
    near = tuple(each for found, _ in read for each in found.near)
    return tuple(Part(found.words, weight) for found, weight in read), near, problem


def _weight(bare: str, start: int, end: int) -> tuple[int, int, float]:
    """A part without the weight behind it, and that weight."""
    tail = bare[max(start, end - LONGEST_WEIGHT) : end].rstrip()
    found = WEIGHT.search(tail)
    if not found:
        return start, end, 1.0
    limit = weights.HEAVIEST
    return start, max(start, end - LONGEST_WEIGHT) + found.start(), max(-limit, min(limit, float(found[1])))


def written(words: str) -> str:
    """The words as they must stand in a prompt to be read as they are. What already holds a weight is left alone."""
    words = " ".join(words.split())
    if weights.has_number(words):
        return words
    return AND.sub("and", weights.without_breaks(SPECIAL.sub(r"\\\g<0>", words)))


def tables() -> dict[str, object]:
    """What the page's keys must know of the grammar, as JSON values. The patterns mean the same in Python and in JavaScript."""
    return {
        "token": weights.TOKEN, "tag": TAG, "unsaid": UNSAID, "number": tags.NUMBER, "breaks": weights.BREAK,
        "stronger": weights.STRONGER, "weaker": weights.WEAKER,
        "weight": {"step": weights.STEP, "most": weights.HEAVIEST}, "strength": {"step": tags.STEP, "most": STRONGEST},
    }  # fmt: skip


def _merged(runs: Sequence[Weighted]) -> Iterator[Weighted]:
    """Neighbours of one weight as one."""
    groups: list[list[Weighted]] = []
    for run in runs:
        if groups and not run.is_break and not groups[-1][-1].is_break and groups[-1][-1].weight == run.weight:
            groups[-1].append(run)
        else:
            groups.append([run])
    return map(_join, groups)


def _join(runs: list[Weighted]) -> Weighted:
    if len(runs) == 1:
        return runs[0]
    return Weighted("".join(run.text for run in runs), runs[0].weight, tuple(chain.from_iterable(run.offsets for run in runs)))


def _named(run: Weighted, names: Names) -> Iterator[Weighted]:
    """The run with each name as a run of its own."""
    rest = 0
    for found in () if run.is_break else names.find(run.text):
        yield from cut(run, rest, found.start)
        yield from cut(run, found.start, found.end, found.name)
        rest = found.end
    if rest:
        yield from cut(run, rest, len(run.text))
    else:
        yield run


def _placed(runs: Sequence[Weighted], kept: Sequence[int], end: int) -> Iterator[Weighted]:
    """The runs with their places in the text that still had its tags."""
    places = [*kept, end]
    for run in runs:
        yield Weighted(run.text, run.weight, tuple(places[offset] for offset in run.offsets), run.is_break, run.name)
