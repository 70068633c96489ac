"""What stands in a prompt without being said: comments, and phrases that are switched off.

    a red house # by the sea          from # to the end of the line, as in A1111
    a red house, ~~snow~~, night      switched off; between commas one of them goes with it, as if the phrase had been taken out

A backslash before # or ~ makes it a word, and a # within a tag belongs to the tag. The patterns are shared with the page's keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

TAG = r"<(lora|lyco|hypernet):([^<>]{1,1000})>"
COMMENT = r"#[^\n]*"
OFF = r"~~[^~]+(?:~[^~]+)*~~"
UNSAID = rf"\\[\s\S]|{TAG}|({OFF})|({COMMENT})"
_UNSAID = re.compile(UNSAID, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Unsaid:
    """text[start:end] is not said. `inner`: the phrase itself, or the comment behind its sign."""

    kind: Literal["off", "comment"]
    start: int
    end: int
    inner: tuple[int, int]


def unsaid(text: str) -> tuple[Unsaid, ...]:
    """From left to right, apart from one another. Takes time linear in the text."""
    return tuple(_found(text)) if "#" in text or "~~" in text else ()


def said(text: str, silent: Sequence[Unsaid]) -> Sequence[int]:
    """The places of the characters that are said."""
    if not silent:
        return range(len(text))
    places: list[int] = []
    rest = 0
    for each in silent:
        places += range(rest, each.start)
        rest = each.end
    return [*places, *range(rest, len(text))]


def heard(text: str) -> str:
    """The text without what is switched off, for programs that would draw it. Comments stay, which they know."""
    off = tuple(each for each in unsaid(text) if each.kind == "off")
    return "".join(text[place] for place in said(text, off)) if off else text


def _found(text: str) -> Iterator[Unsaid]:
    end = 0
    for match in _UNSAID.finditer(text):
        if match[4] is not None:
            yield Unsaid("comment", match.start(), match.end(), (match.start() + 1, match.end()))
        elif match[3] is not None:
            start, end = _between_commas(text, match, end)
            yield Unsaid("off", start, end, (match.start() + 2, match.end() - 2))


def _between_commas(text: str, match: re.Match[str], rest: int) -> tuple[int, int]:
    """With the comma before it, where another comma or nothing follows; with the one behind it, where nothing stands before.

    `rest`: where the last such phrase has ended, so that no comma is taken twice.
    """
    start, end = match.span()
    before, behind = start, end
    while before > rest and text[before - 1] in " \t\n":
        before -= 1
    while behind < len(text) and text[behind] in " \t\n":
        behind += 1
    ends, begins = behind == len(text) or text[behind] == ",", before == 0
    if ends and before > rest and text[before - 1] == ",":
        return before - 1, end
    return (start, min(behind + 1, len(text))) if ends and begins else (start, end)
