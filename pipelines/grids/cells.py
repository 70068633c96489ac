"""Cells of a grid: which there are, what each asks for, and in which order one looks at them.

A grid is looked at coarse first, as a picture that comes in interlaced: the corners, then what lies half way between, and so on, so that
after 20 of 400 cells one sees the whole of it. Among cells of one fineness those come first that need the models that the last one used:
of three checkpoints each is then read once a fineness, and the first of a fineness is the last of the one before. What is looked at comes
before all that: the cell under the pointer, then those in view.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from models.errors import UserError
from models.json_values import is_row, is_table, is_whole, table, text
from pipelines.grids.axes import LONGEST_TITLE, Names, Offer, offers
from pipelines.requests.as_made import loosened
from pipelines.requests.request import Drawing

MOST_AXES = 4
MOST_CELLS = 1_000
LETTERS = "XYZW"
Place = tuple[int, ...]  # a key of each axis


@dataclass(frozen=True, slots=True)
class Value:
    """One value of an axis. `key`: stays the same whatever is added or taken away."""

    key: int
    title: str
    value: object  # JSON


@dataclass(frozen=True, slots=True)
class Axis:
    """`typed`: as a person wrote it, for those who go on writing."""

    name: str
    title: str
    typed: str
    values: tuple[Value, ...]
    model: bool = False  # its values are files, which take long to swap
    past: tuple[Value, ...] = ()  # that were taken away; their cells are there when they come back

    def told(self) -> dict[str, object]:
        past = {"past": _written(self.past)} if self.past else {}
        named = {"name": self.name, "title": self.title, "typed": self.typed, "model": self.model}
        return {**named, "values": _written(self.values), **past}

    @property
    def titles(self) -> dict[int, str]:
        return {each.key: each.title for each in self.values}


class AxisError(UserError):
    """What is wrong with one axis, by its place."""

    def __init__(self, place: int, sentence: str) -> None:
        super().__init__(sentence)
        self.place = place


@dataclass(frozen=True)
class Grid:
    """A grid as it is asked for: a drawing, and what is changed in it."""

    base: Drawing
    axes: tuple[Axis, ...]

    @property
    def count(self) -> int:
        return math.prod(len(axis.values) for axis in self.axes)

    @cached_property
    def places(self) -> list[Place]:
        return list(itertools.product(*([each.key for each in axis.values] for axis in self.axes)))

    def request(self, place: Place, known: Mapping[str, Offer]) -> Drawing:
        """What a cell asks for. Raises `UserError` for values that do not go together."""
        put = [(known[axis.name], _value(axis, key)) for axis, key in zip(self.axes, place, strict=True) if axis.name in known]
        request = self.base
        for offer, value in sorted(put, key=lambda each: each[0].rank):
            request = offer.put(request, value)
        request.check()
        return request

    @cached_property
    def levels(self) -> dict[Place, int]:
        """How fine each cell is: 0 for the corners."""
        own = [dict(zip((each.key for each in axis.values), halvings(len(axis.values)), strict=True)) for axis in self.axes]
        return {place: max((level[key] for level, key in zip(own, place, strict=True)), default=0) for place in self.places}


@dataclass
class Eye:
    """Where a person looks. Places that are no more do no harm."""

    at: Place | None = None  # under the pointer
    seen: frozenset[Place] = field(default_factory=frozenset[Place])


def read_axes(base: Drawing, asked: Sequence[tuple[str, str]], names: Names, before: Sequence[Axis] = ()) -> tuple[Axis, ...]:
    """Axes of (name, what is typed) each. `before`: those that a grid has; what stays keeps its key. Raises `AxisError`, `UserError`."""
    known = offers(base, names)
    if not asked:
        raise UserError("Choose what the grid varies first.")
    if len(asked) > MOST_AXES:
        raise UserError(f"A grid has {MOST_AXES} axes at most.")
    axes: list[Axis] = []
    for place, (name, typed) in enumerate(asked):
        axes.append(_axis(known, place, name, typed, next((each for each in before if each.name == name), None)))
        _check_apart(known, axes, place)
    if (count := math.prod(len(axis.values) for axis in axes)) > MOST_CELLS:
        raise UserError(f"This makes {count:,} pictures; {MOST_CELLS:,} are the most in one grid. Take values away.")
    return tuple(axes)


def beginning(request: Drawing) -> Drawing:
    """The drawing that all cells vary: one picture, with nothing decided for another one."""
    alone = replace(request, batch_count=1, batch_size=1, all_combinations=False, wordings=(), branch=())
    return loosened(alone)


def halvings(count: int) -> list[int]:
    """Of each of so many places in a row, how often it is halved until it is reached; 0 for both ends."""
    found = [0] * count
    spans = deque([(0, count - 1, 1)])
    while spans:
        start, end, level = spans.popleft()
        if end - start < 2:
            continue
        middle = (start + end) // 2
        found[middle] = level
        spans += [(start, middle, level + 1), (middle, end, level + 1)]
    return found


def next_place(grid: Grid, left: Collection[Place], last: Place | None, eye: Eye) -> Place | None:
    """Which of those that are left is drawn now. `last`: the one that was drawn before."""
    levels = grid.levels
    known = [{each.key: number for number, each in enumerate(axis.values)} for axis in grid.axes]
    models = [number for number, axis in enumerate(grid.axes) if axis.model]

    def rank(place: Place) -> tuple[int, int, bool, Place, Place]:
        order = tuple(own[key] for own, key in zip(known, place, strict=True))
        swaps = last is not None and any(place[each] != last[each] for each in models)
        looked = 0 if place == eye.at else 1 if place in eye.seen else 2
        return looked, levels[place], swaps, tuple(order[each] for each in models), order

    return min((place for place in left if place in levels), key=rank, default=None)


def written(place: Place) -> str:
    """As the book has it."""
    return ".".join(map(str, place))


def read_place(text: object, axes: int) -> Place | None:
    parts = text.split(".") if isinstance(text, str) and len(text) < 60 else []
    if len(parts) != axes or not all(part.isascii() and part.isdigit() for part in parts):
        return None
    return tuple(map(int, parts))


def restored(told: object) -> tuple[Axis, ...]:
    """What `Axis.told` wrote; what is no axis is left out."""
    return tuple(_restored(table(each)) for each in told) if is_row(told) else ()


def _restored(told: Mapping[str, object]) -> Axis:
    named = text(told, "name"), text(told, "title"), text(told, "typed")
    return Axis(*named, _read(told.get("values")), told.get("model") is True, _read(told.get("past")))


def _written(values: Sequence[Value]) -> list[dict[str, object]]:
    return [{"key": each.key, "title": each.title, "value": each.value} for each in values]


def _read(rows: object) -> tuple[Value, ...]:
    held = [row for row in rows if is_table(row)] if is_row(rows) else []
    return tuple(Value(key, text(row, "title"), row.get("value")) for row in held if is_whole(key := row.get("key")))


def _value(axis: Axis, key: int) -> object:
    return next(each.value for each in axis.values if each.key == key)


def _axis(known: Mapping[str, Offer], place: int, name: str, typed: str, before: Axis | None) -> Axis:
    offer = known.get(name)
    if offer is None:
        raise AxisError(place, "Choose what this axis varies.")
    try:
        found = offer.read(typed)
    except UserError as error:
        raise AxisError(place, str(error)) from None
    if not found:
        raise AxisError(place, f"Write values for “{offer.title}”. {offer.hint}.")
    known_before = (*before.values, *before.past) if before else ()
    values = tuple(_keyed(found, known_before))
    past = tuple(each for each in known_before if each.key not in {value.key for value in values})
    return Axis(name, offer.title, typed, values, offer.sort == "model", past)


def _keyed(found: Iterable[tuple[object, str]], before: Sequence[Value]) -> Iterable[Value]:
    """Each value once; one that was there before has the key of then."""
    keys = {_told(each.value): each.key for each in before}
    fresh = itertools.count(max(keys.values(), default=-1) + 1)
    once = {_told(value): (value, title) for value, title in found}
    return [Value(keys[told] if told in keys else next(fresh), title[:LONGEST_TITLE], value) for told, (value, title) in once.items()]


def _told(value: object) -> str:
    return repr(value)


def _check_apart(known: Mapping[str, Offer], axes: Sequence[Axis], place: int) -> None:
    """No field is set by two axes."""
    new = axes[-1]
    for other in axes[:-1]:
        both = _touched(known[new.name], new) & _touched(known[other.name], other)
        if both or new.name == other.name:
            raise AxisError(place, f"“{new.title}” and “{other.title}” set the same. Leave it on one axis.")


def _touched(offer: Offer, axis: Axis) -> frozenset[str]:
    return frozenset(name for each in axis.values for name in offer.touches(each.value))
