"""The shelf of wildcards, as drawing asks it: what a name or a pattern stands for."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import accumulate
from typing import Protocol

from models.errors import UserError
from pipelines.wildcards.template import SPECIAL, WEIGHT, Option, Template, named, parse

Lines = Sequence[tuple[str, float]]  # (a line, a template itself; its weight) each


class Wildcards(Protocol):
    """Those that there are. `notes`: sentences about files that could not be read.

    `find`: what a name, or a pattern with * and ?, stands for; None when there is no such file.
    """

    @property
    def notes(self) -> Sequence[str]: ...

    def find(self, name: str) -> Collection | None: ...


class Collection:
    """The lines of one wildcard, or of all that a pattern stands for. They are read as templates when they are asked for, each once."""

    def __init__(self, name: str, lines: Lines | Callable[[], Lines]) -> None:
        """`lines`: perhaps a call that reads them when they are asked for, and raises `UserError` when they cannot be read."""
        self.name = name
        self._given = lines

    @cached_property
    def _read(self) -> tuple[dict[str, float], str]:
        """The lines with their weights, and why there are none. A line that stands there twice counts once, as it stands there last."""
        try:
            lines = self._given() if callable(self._given) else self._given
        except UserError as error:
            return {}, str(error)
        return dict(lines), "" if lines else f"The wildcard “{self.name}” is empty. Write a line into its file."

    @property
    def lines(self) -> Mapping[str, float]:
        return self._read[0]

    @cached_property
    def _templates(self) -> Mapping[str, Template]:
        """Of the lines that are more than words: few, of the hundred thousand that a pattern may stand for."""
        return {line: parse(line) for line in self.lines if SPECIAL.search(line)}

    @cached_property
    def options(self) -> tuple[Option, ...]:
        read = self._templates
        return tuple(Option(read[line].parts if line in read else (line,), weight) for line, weight in self.lines.items())

    @cached_property
    def names(self) -> Mapping[str, int]:
        """The wildcards that its lines name, and how many brackets stand around each at most."""
        return dict(sorted(each for template in self._templates.values() for each in named(template.parts)))

    @cached_property
    def ends(self) -> Sequence[float]:
        return ends_of(self.options)

    @cached_property
    def problem(self) -> str:
        """What is wrong with it or with a line of it, a sentence, or ""."""
        found = next((template.problem for template in self._templates.values() if template.problem), "")
        return self._read[1] or (f"In the wildcard “{self.name}”: {found}" if found else "")


def line_of(text: str) -> tuple[str, float]:
    """A line, with the weight that may stand before it: 0.5::red."""
    found = WEIGHT.match(text) if "::" in text else None
    return (text[found.end() :], float(found[1])) if found else (text, 1.0)


def ends_of(options: Sequence[Option]) -> Sequence[float]:
    """Where each option ends, all laid one behind the other, as long as they weigh; where none weighs anything, all alike."""
    weighs = any(option.weight for option in options)
    return [*accumulate(option.weight if weighs else 1.0 for option in options)]


class Shelf:
    """Collections by name. Letters large and small are the same; * stands for anything, folders too, and ? for one letter."""

    def __init__(self, collections: Iterable[Collection], notes: Sequence[str] = ()) -> None:
        """`notes`: sentences about files that could not be read."""
        self.notes = notes
        self._by_name: Mapping[str, Collection] = {each.name.casefold(): each for each in collections}
        self.find = lru_cache(maxsize=20_000)(self._find)

    @cached_property
    def names(self) -> tuple[str, ...]:
        """All of them, as they are called, in order."""
        return tuple(sorted((each.name for each in self._by_name.values()), key=str.casefold))

    def _find(self, name: str) -> Collection | None:
        """A name that is no path is looked for in all folders where nothing is called just so."""
        asked = re.sub(r"[\\/]+", "/", name.casefold()).strip("/")
        if not any(sign in asked for sign in "*?"):
            return self._by_name.get(asked) or _all_of(name, self._by_end.get(asked, ()))
        return _all_of(name, self._like(asked) or self._like(f"*/{asked}"))

    @cached_property
    def _by_end(self) -> dict[str, tuple[Collection, ...]]:
        """By the ways to say each name short, without the folders that it lies in."""
        ends: dict[str, tuple[Collection, ...]] = {}
        for name, each in sorted(self._by_name.items()):
            parts = name.split("/")
            for first in range(1, len(parts)):
                short = "/".join(parts[first:])
                ends[short] = (*ends.get(short, ()), each)
        return ends

    def _like(self, pattern: str) -> tuple[Collection, ...]:
        matches = re.compile(fnmatch.translate(pattern)).match
        return tuple(each for name, each in sorted(self._by_name.items()) if matches(name))


def _all_of(name: str, found: Sequence[Collection]) -> Collection | None:
    if len(found) < 2:
        return found[0] if found else None
    return Collection(name, [line for each in found for line in each.lines.items()])
