"""What is wrong with a template, before anything is drawn of it: a file that is missing, a circle, too deep a nest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from models.errors import UserError
from pipelines.wildcards.shelf import Collection, Wildcards
from pipelines.wildcards.template import DEEPEST, Template, named

FOLDER = "the folder “wildcards” among the models"
SHOWN = 4  # of the wildcards in a circle


def check(template: Template, wildcards: Wildcards) -> None:
    """Raises `UserError` with a sentence about the first thing that is wrong, in the text or in a file that it names."""
    if template.problem:
        raise UserError(template.problem)
    reached = _Reached(wildcards)
    for name, depth in named(template.parts):
        if depth + reached.depth(name) > DEEPEST:
            raise UserError(_too_deep([name]))


@dataclass(slots=True)
class _Open:
    """A wildcard that is being looked at: what it names, and how deep it reaches by what is known of that."""

    name: str
    below: Iterator[tuple[Collection, int]]
    depth: int = 0
    edge: int = 0  # brackets around the name that is being followed

    def reach(self, depth: int) -> None:
        self.depth = max(self.depth, self.edge + 1 + depth)


class _Reached:
    """The wildcards that a template reaches, each looked at once."""

    def __init__(self, wildcards: Wildcards) -> None:
        self._wildcards = wildcards
        self._depths: dict[str, int] = {}  # of what is known, by name of the collection
        self._way: dict[str, None] = {}  # what is being looked at, each named by the one before

    def depth(self, name: str) -> int:
        """Brackets and wildcards that stand in one another from this one on."""
        found = self.found(name)
        if found.name not in self._depths:
            self._look(found)
        return 1 + self._depths[found.name]

    def found(self, name: str) -> Collection:
        found = self._wildcards.find(name)
        if not found:
            raise UserError(" ".join((_missing(name), *self._wildcards.notes[:1])))
        if found.problem:
            raise UserError(found.problem)
        return found

    def _look(self, first: Collection) -> None:
        open_ones = [self._enter(first)]
        while open_ones:
            top = open_ones[-1]
            named = next(top.below, None)
            if named is None:
                self._leave(open_ones)
                continue
            below, top.edge = named
            if below.name in self._way:
                raise UserError(_circle(list(self._way), below.name))
            if below.name in self._depths:
                top.reach(self._depths[below.name])
            else:
                open_ones.append(self._enter(below))

    def _enter(self, collection: Collection) -> _Open:
        if len(self._way) == DEEPEST:
            raise UserError(_too_deep([*self._way]))
        self._way[collection.name] = None
        return _Open(collection.name, self._below(collection))

    def _leave(self, open_ones: list[_Open]) -> None:
        closed = open_ones.pop()
        del self._way[closed.name]
        self._depths[closed.name] = closed.depth
        if open_ones:
            open_ones[-1].reach(closed.depth)

    def _below(self, collection: Collection) -> Iterator[tuple[Collection, int]]:
        """The collections that one names, with how deep within brackets."""
        for name, depth in collection.names.items():
            yield self.found(name), depth


def _missing(name: str) -> str:
    if any(sign in name for sign in "*?"):
        return f"There is no wildcard file like “{name}”. Put one into {FOLDER}, or take “__{name}__” out."
    there = f"Put {name}.txt into {FOLDER}, or write \\__{name}__ if these are words"
    return f"There is no wildcard called “{name}”. {there}."


def _too_deep(way: Sequence[str]) -> str:
    shown = " → ".join(f"“{name}”" for name in way[:SHOWN])
    return f"The wildcards from {shown} on lead more than {DEEPEST} deep into one another, perhaps in a circle. Make the way shorter."


def _circle(way: Sequence[str], back: str) -> str:
    names = [*way[way.index(back) :], back]
    shown = [f"“{name}”" for name in names[:SHOWN]]
    more = f" … ({len(names) - SHOWN:,} more)" if len(names) > SHOWN else ""
    return f"The wildcards go round in a circle and never end: {' → '.join(shown)}{more}. Take one of them out of the file of another."
