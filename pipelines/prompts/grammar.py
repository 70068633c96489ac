"""The prompt grammar, read once. Drawing, counting, metadata, notes and file names are views of it; the page's keys share its tables."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from pipelines.prompts import tags, weights
from pipelines.prompts.names import Names
from pipelines.prompts.tags import WrittenTag, split_tags
from pipelines.prompts.weights import Group, Weighted, cut, weigh
from pipelines.requests.added import STRONGEST

NO_NAMES = Names()
SPECIAL = re.compile(r"[\\()\[\]]")


@dataclass(frozen=True)
class Prompt:
    """A prompt that was read. Places are those of characters in the text as written."""

    text: str
    runs: tuple[Weighted, ...]  # at least one, perhaps empty; without tags, brackets and escapes
    tags: tuple[WrittenTag, ...]
    bare: str  # the text without its tags
    groups: tuple[Group, ...]  # pairs of brackets in `bare`, inner ones first

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The embeddings that act, each once, in the order they come."""
        return tuple(dict.fromkeys(run.name for run in self.runs if run.name))

    @cached_property
    def words(self) -> str:
        """What is said, without how strongly."""
        return " ".join(run.text for run in self.runs if not run.is_break)


def parse(text: str, names: Names = NO_NAMES) -> Prompt:
    """Reads a prompt in which these names stand for embeddings. Any text can be read, in time linear in its length."""
    kept, tags = split_tags(text)
    bare = text if len(kept) == len(text) else "".join(text[place] for place in kept)
    runs, groups = weigh(bare)
    said = [part for run in _merged(runs) for part in _named(run, names)] or [Weighted("")]
    return Prompt(text, tuple(said if bare is text else _placed(said, kept, len(text))), tags, bare, tuple(groups))


def parse_weights(text: str) -> tuple[Weighted, ...]:
    """The prompt as runs of equal weight; at least one run, perhaps empty."""
    return parse(text).runs


def written(words: str) -> str:
    """The words as they must stand in a prompt to be read as they are. What already holds a weight is left alone."""
    words = " ".join(words.split())
    if weights.has_number(words):
        return words
    return weights.without_breaks(SPECIAL.sub(r"\\\g<0>", words))


def tables() -> dict[str, object]:
    """What the page's keys must know of the grammar, as JSON values. The patterns mean the same in Python and in JavaScript."""
    return {
        "token": weights.TOKEN, "tag": tags.TAG, "number": tags.NUMBER, "breaks": weights.BREAK,
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
