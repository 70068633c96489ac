"""Embedding names, found in a text as people type them: in any case, with accents in one character or two, spaces of any kind.

A name counts where no letter, digit or underscore stands beside it. Where several begin at one place the longest counts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Self

HEAD = re.compile(r"\w+|[^\w\s]")
SPACES = re.compile(r"\s\s")
AS_SPACE = dict.fromkeys(map(ord, "\t\n\r\f\v\x1c\x1d\x1e\x1f"), " ")
JAMO = ("\u1160", "\u11ff")  # the later parts of a Korean syllable, which join the first


@dataclass(frozen=True, slots=True)
class Found:
    """`name` as it was given, and where it stands: text[start:end]."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Names:
    """Names that are looked for. Which of them are found does not change when those that are not found are taken away."""

    spelt: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])  # plain form -> the names that have it
    by_head: dict[str, list[str]] = field(default_factory=dict[str, list[str]])  # first word -> plain forms, longest first

    @classmethod
    def of(cls, names: Iterable[str]) -> Self:
        spelt: dict[str, tuple[str, ...]] = {}
        by_head: dict[str, list[str]] = {}
        for name in sorted(set(names)):
            plain = _folded(name.strip())[0]
            spelt[plain] = (*spelt.get(plain, ()), name)
        for plain in sorted(spelt, key=len, reverse=True):
            if head := HEAD.match(plain):
                by_head.setdefault(head[0], []).append(plain)
        return cls(spelt, by_head)

    def spelt_as(self, name: str) -> tuple[str, ...]:
        """The names that differ from this one in letters large and small, accents and spaces alone; with itself."""
        return self.spelt.get(_folded(name.strip())[0], ())

    def find(self, text: str) -> Iterator[Found]:
        """From left to right; none overlaps another."""
        if not self.by_head or not text:
            return
        plain, places = _folded(text)
        rest = 0
        for head in HEAD.finditer(plain):
            start = head.start()
            if start < rest or (start and _in_word(plain[start - 1])):
                continue
            for name in self.by_head.get(head[0], ()):
                if _stands(name, plain, start):
                    rest = start + len(name)
                    yield _chosen(text[places[start] : places[rest]], self.spelt[name], places[start])
                    break


def _stands(name: str, text: str, start: int) -> bool:
    end = start + len(name)
    return text.startswith(name, start) and not (end < len(text) and _in_word(text[end]))


def _chosen(written: str, names: tuple[str, ...], start: int) -> Found:
    """Of names that differ in their spelling alone: the one that was typed, or else the first."""
    return Found(written if written in names else names[0], start, start + len(written))


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"


def _folded(text: str) -> tuple[str, Sequence[int]]:
    """The text in one form for all its spellings, and where each of its characters begins in the text; one more for the end."""
    if text.isascii() and not SPACES.search(text):
        return text.lower().translate(AS_SPACE), range(len(text) + 1)
    folded: list[str] = []
    places: list[int] = []
    start = 0
    while start < len(text):
        end = _end_of_letter(text, start)
        plain = " " if text[start].isspace() else _lower(text[start:end])
        folded.append(plain)
        places += [start] * len(plain)
        start = end
    return "".join(folded), [*places, len(text)]


def _end_of_letter(text: str, start: int) -> int:
    """Behind a letter and its accents, or behind a run of spaces."""
    end = start + 1
    joins = str.isspace if text[start].isspace() else _joins
    while end < len(text) and joins(text[end]):
        end += 1
    return end


def _joins(character: str) -> bool:
    return character > "\u02ff" and (unicodedata.category(character)[0] == "M" or JAMO[0] <= character <= JAMO[1])


def _lower(letter: str) -> str:
    """As `str.casefold`, but one letter stays one: ß is not ss."""
    letter = unicodedata.normalize("NFC", letter)
    folded = letter.casefold()
    return folded if len(folded) == len(letter) else letter.lower()
