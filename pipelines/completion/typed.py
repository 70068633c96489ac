"""What is being written where the cursor stands: the name of a LoRA in a tag, that of a wildcard, or words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from pipelines.wildcards.unsaid import unsaid

REACH = 400  # letters before the cursor that are looked at
MOST_WORDS = 4  # that may be the beginning of one tag
FEWEST = 2  # letters of words that something is offered for
TAG = re.compile(r"<(?:(?P<kind>lora|lyco|hypernet):)?(?P<name>[^<>:\n]{0,100})$", re.IGNORECASE)
WILDCARD = re.compile(r"__(?P<name>(?:(?!__)[^\s,{}|()<>:~#]){0,100})$")
BREAKS = re.compile(r"(?<!\\)[,\n()\[\]{}|<>:;.!?\"]|\bAND\b|\bBREAK\b|~~|__")
LETTER = re.compile(r"[^\W_]")


@dataclass(frozen=True, slots=True)
class Typed:
    """`start`: where it begins in the text that was given; all from there on is replaced. `kind`: of a tag "lora" or "hypernet", or ""
    where only its bracket stands.
    """

    what: Literal["tag", "wildcard", "words"]
    text: str
    start: int
    kind: str = ""


def typed(before: str) -> list[Typed]:
    """What may be being written at the end of a text: of words the longest first; nothing within what is not said."""
    before, cut = before[-REACH:], max(0, len(before) - REACH)
    silent = unsaid(before)
    if silent and silent[-1].end == len(before) and silent[-1].kind == "comment":
        return []
    if tag := TAG.search(before):
        kind = (tag["kind"] or "").lower().replace("lyco", "lora")
        return [Typed("tag", tag["name"], cut + tag.start(), kind)]
    if before.count("__") % 2 and (wildcard := WILDCARD.search(before)):
        return [Typed("wildcard", wildcard["name"], cut + wildcard.start())]
    return list(_words(before, cut))


def _words(before: str, cut: int) -> Iterator[Typed]:
    start = max((found.end() for found in BREAKS.finditer(before)), default=0)
    if before[-1:].isspace():
        return
    begins = [found.start() for found in re.finditer(r"\S+", before[start:])][-MOST_WORDS:]
    for place in begins:
        text = before[start + place :].replace("\\", "")
        if len(LETTER.findall(text)) >= min(FEWEST, len(text)) and len(text) >= FEWEST:
            yield Typed("words", text, cut + start + place)
