"""Marks: what each part of a prompt is, for the colours behind it while it is written. Places are those of the text as it is typed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pipelines.prompts import weights
from pipelines.prompts.changes import Change, Span, joined
from pipelines.prompts.grammar import NO_NAMES, Prompt, parse, plain_runs
from pipelines.prompts.names import Names
from pipelines.prompts.unread import places
from pipelines.prompts.vocabulary import unknown_in
from pipelines.prompts.weights import Weighted
from pipelines.wildcards.template import parse as template

HOLE = "\ufffc"  # in the place of a sign that is no word and no bracket
OPENS = "([\\"  # signs that belong to what follows them

# Field of a request -> whether AND joins in its text.
JOINS = {"prompt": True, "hires_prompt": True, "negative_prompt": False, "hires_negative_prompt": False, "second_prompt": False}

Sort = Literal["strong", "weak", "tag", "schedule", "alternation", "join", "choice", "comment", "off", "unknown", "odd"]


@dataclass(frozen=True, slots=True)
class Mark:
    """text[start:end] is of this sort. `odd` is what is not understood, such as a bracket that has no partner."""

    kind: Sort
    start: int
    end: int


def marks(text: str, names: Names = NO_NAMES, known: frozenset[str] = frozenset(), joins: bool = True) -> list[Mark]:
    """In order of their places; one may lie in another. `known`: the words of a model that tells what it does not know, else none.

    What is chosen among is marked as a whole, and not read further. Takes time linear in the text.
    """
    read = template(text)
    prompt = parse(_with_holes(text, read.places), names, joins)
    found = [*_apart(read.places, "choice"), *_apart(read.loose, "odd"), *_not_words(prompt)]
    found += (Mark(kind, *prompt.in_text(span)) for kind, span in _in_bare(prompt, known))
    return sorted(found, key=lambda mark: (mark.start, -mark.end))


def as_typed(text: str, joins: bool = True) -> Prompt:
    """The prompt before anything is chosen, with its places in the text as it is typed; what is chosen among is one unknown word."""
    return parse(_with_holes(text, template(text).places), joins=joins)


def _apart(spans: Sequence[Span], kind: Sort) -> Iterator[Mark]:
    """Of spans that lie in one another, the outer ones."""
    end = 0
    for span in sorted(spans, key=lambda each: (each[0], -each[1])):
        if span[1] > end:
            yield Mark(kind, *span)
            end = span[1]


def _with_holes(text: str, spans: Sequence[Span]) -> str:
    """The text as long as it is, with nothing to be read in these places."""
    if not spans:
        return text
    pieces: list[str] = []
    rest = 0
    for mark in _apart(spans, "choice"):
        pieces += text[rest : mark.start], HOLE * (mark.end - mark.start)
        rest = mark.end
    return "".join([*pieces, text[rest:]])


def _not_words(prompt: Prompt) -> Iterator[Mark]:
    yield from (Mark(each.kind, each.start, each.end) for each in prompt.silent)
    yield from (Mark("tag", each.start, each.end) for each in prompt.tags)


def _in_bare(prompt: Prompt, known: frozenset[str]) -> Iterator[tuple[Sort, Span]]:
    for change in prompt.changes:
        yield change.kind, (change.start, change.end)
    yield from _all("odd", places(prompt))
    yield from _all("join", _between(prompt))
    signs = {place for change in prompt.changes for place in _signs(change)}
    said = "".join(HOLE if place in signs else character for place, character in enumerate(prompt.bare)) if signs else prompt.bare
    for part in prompt.parts:
        start, end = part.words.start, part.words.end
        for kind, (first, last) in _weighed(said[start:end], prompt.known, known):
            yield kind, (start + first, start + last)


def _all(kind: Sort, spans: Iterable[Span]) -> Iterator[tuple[Sort, Span]]:
    for span in spans:
        yield kind, span


def _signs(change: Change) -> Iterator[int]:
    """Places of its brackets, colons, bars and number."""
    rest = change.start
    for option in change.options:
        yield from range(rest, option.start)
        rest = option.end
    yield from range(rest, change.end)


def _between(prompt: Prompt) -> Iterator[Span]:
    """What joins prompts: AND, with the weight before it; and the weight behind the last one."""
    edges = [part.words for part in prompt.parts]
    ends = [*(words.start for words in edges[1:]), len(prompt.bare)]
    for words, end in zip(edges, ends, strict=True):
        kept = prompt.bare[words.end : end]
        start = words.end + len(kept) - len(kept.lstrip())
        if kept.strip():
            yield start, start + len(kept.strip())


def _weighed(text: str, names: Names, known: frozenset[str]) -> Iterator[tuple[Sort, Span]]:
    """Of one prompt whose changes have no signs: weights, names, breaks, unknown words, brackets without a partner."""
    runs = plain_runs(text, names)
    yield from _tints(text, runs)
    for run in runs:
        if run.name:
            yield "tag", (run.offsets[0], run.offsets[-1] + 1)
        elif known and not run.is_break:
            yield from _all("unknown", ((run.offsets[start], run.offsets[end - 1] + 1) for start, end in unknown_in(run, known)))
    yield from _all("join", weights.breaks_in(text))
    yield from _all("odd", ((place, place + 1) for place in weights.loose(text)))


def _tints(text: str, runs: Sequence[Weighted]) -> Iterator[tuple[Sort, Span]]:
    """Stretches that weigh more or less than 1, brackets and numbers with them."""
    found = [0.0] * len(text)  # 0: no word
    for run in runs:
        for place in () if run.is_break else run.offsets:
            found[place] = run.weight or -1.0
    sides = _filled(text, found)
    yield from _all("strong", joined((place, place + 1) for place, weight in enumerate(sides) if weight > 1))
    yield from _all("weak", joined((place, place + 1) for place, weight in enumerate(sides) if weight < 1))


def _filled(text: str, found: list[float]) -> list[float]:
    """What is no word weighs as the word that it belongs to: what opens as the next one, all else as the last one."""
    last = 1.0
    for place, weight in enumerate(found):
        found[place] = last = weight if weight else 0.0 if text[place] in OPENS else last
        last = last or 1.0
    following = 1.0
    for place in range(len(found) - 1, -1, -1):
        found[place] = following = found[place] or following
    return found
