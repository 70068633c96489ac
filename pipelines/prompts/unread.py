"""Unread syntax: what other studios act on and Atelier does not, and what is nearly a schedule. It is drawn as plain words, and said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.prompts.changes import Span
from pipelines.prompts.grammar import Prompt

TAG = re.compile(r"<[A-Za-z_]\w{0,30}(?:\[[^\[\]<>]{0,100}\])?:[^<>]{1,1000}>")  # looks at a character a hundred times at most
IS_TAG = "is a tag that Atelier does not have: drawn as plain words."
SHOWN = 3  # of each kind
LONGEST = 60  # characters that are quoted


@dataclass(frozen=True, slots=True)
class Unread:
    text: str
    why: str = IS_TAG


def unread(prompt: Prompt) -> list[Unread]:
    """What is not understood, each text once, kind by kind."""
    found = [*_near(prompt), *(Unread(match[0]) for match in TAG.finditer(prompt.bare))]
    named = "\n".join(run.text for run in prompt.runs if run.name) if found else ""
    return list(dict.fromkeys(each for each in found if each.text not in named))


def places(prompt: Prompt) -> Iterator[Span]:
    """Where in `Prompt.bare` it stands, each place of each text."""
    said = {each.text for each in unread(prompt)}
    spans = [(near.start, near.end) for near in prompt.near] + [match.span() for match in TAG.finditer(prompt.bare)]
    return (span for span in spans if prompt.bare[slice(*span)] in said)


def sentences(found: list[Unread]) -> Iterator[str]:
    """A sentence for each kind, with at most three examples."""
    for why in dict.fromkeys(each.why for each in found):
        texts = [f"“{short(each.text)}”" for each in found if each.why == why]
        more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
        yield f"{', '.join(texts[:SHOWN])}{more} {why}"


def short(text: str) -> str:
    text = " ".join(text[: 4 * LONGEST].split())
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def _near(prompt: Prompt) -> Iterator[Unread]:
    for near in prompt.near:
        yield Unread(prompt.bare[near.start : near.end], f"is drawn as plain words: {near.why}.")
