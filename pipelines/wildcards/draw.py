"""Drawing words of a template by a seed, and all words that can be drawn of it, which are counted without being listed.

The same template, files and seed give the same words, on every machine and with every Python: only `Random.random` is asked, whose
numbers the language promises to keep.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from random import Random

from models.errors import UserError
from pipelines.wildcards.check import check
from pipelines.wildcards.shelf import Collection, Wildcards, ends_of
from pipelines.wildcards.template import Assign, Choice, Option, Part, Parts, Template, Use, Wildcard, parse, short

MOST_COMBINATIONS = 10_000
UNCOUNTED = 10**15  # from here on nobody wants to know how many combinations exactly
LONGEST = 100_000  # characters that may be drawn: the most that a prompt takes
MOST_STEPS = 200_000
WORDS = 10  # steps that a text within a text takes

Scope = Mapping[str, Parts]


def draw(template: Template, wildcards: Wildcards, seed: int, stream: str = "", budget: Budget | None = None) -> str:
    """The words that this seed draws. `stream`: of several texts of one picture each has dice of its own. `budget`: shared by several.

    Raises `UserError` when something is missing, goes round in a circle, or becomes too long.
    """
    if template.is_plain:
        return template.text
    check(template, wildcards)
    return _finished(_Dice(wildcards, Random(f"{seed} {stream}"), budget or Budget()).words(template.parts, {}))


def combinations(template: Template, wildcards: Wildcards) -> Iterator[str]:
    """All words that can be drawn, in the order in which they are written; what stands last changes first.

    Raises `UserError` like `draw`, for the first at once.
    """
    if template.is_plain:
        yield template.text
        return
    check(template, wildcards)
    yield from map(_finished, _All(wildcards).words(template.parts, {}))


def count(template: Template, wildcards: Wildcards) -> int:
    """How many `combinations` there are; at `UNCOUNTED` it stops. Raises `UserError` like `draw`."""
    if template.is_plain:
        return 1
    check(template, wildcards)
    return _Counter(wildcards).of(template.parts, {})


def _finished(words: str) -> str:
    """Words in which nothing is left to be drawn, so that they draw themselves."""
    if not parse(words).is_plain:
        said = "a choice that was only put together by drawing. The name of a wildcard or a brace cannot be drawn"
        raise UserError(f"In “{short(words)}” there is {said}; write it out.")
    return words


def _lines(wildcard: Wildcard, wildcards: Wildcards) -> Collection:
    found = wildcards.find(wildcard.name)
    assert found, "the template was checked"
    return found


def _options(choice: Choice, wildcards: Wildcards) -> Sequence[Option]:
    """A choice of one wildcard is one of its lines."""
    only = choice.options[0].parts if len(choice.options) == 1 else ()
    return _lines(only[0], wildcards).options if len(only) == 1 and isinstance(only[0], Wildcard) else choice.options


def _split(parts: Parts) -> tuple[Sequence[Assign], Sequence[Part]]:
    """Variables count for all of the text that they stand in, wherever they stand."""
    assigned = [part for part in parts if isinstance(part, Assign)]
    return assigned, [part for part in parts if not isinstance(part, Assign)] if assigned else parts


def _within(use: Use, scope: Scope) -> tuple[Parts, Scope]:
    """What a variable stands for, and what is known within: not itself."""
    value = scope.get(use.name, use.default)
    if value is None:
        said = f"Set it before, as in ${{{use.name}=red}}, or give it words of its own: ${{{use.name}:red}}"
        raise UserError(f"The variable “{use.name}” stands for nothing here. {said}.")
    return value, {name: parts for name, parts in scope.items() if name != use.name}


@dataclass
class Budget:
    """What may be spent on one drawing, so that no template takes long: a step is a thousandth of a millisecond or less."""

    steps: int = MOST_STEPS
    characters: int = LONGEST

    def spend(self, steps: int, characters: int = 0) -> None:
        self.steps -= steps
        self.characters -= characters
        if self.characters < 0:
            raise UserError("What is drawn becomes too long. Take some choices out, or shorten what they draw.")
        if self.steps < 0:
            raise UserError("So much would have to be drawn for this that it takes too long. Take some choices out.")


@dataclass
class _Dice:
    wildcards: Wildcards
    random: Random
    budget: Budget

    def words(self, parts: Parts, scope: Scope) -> str:
        self.budget.spend(WORDS)
        assigned, rest = _split(parts)
        for each in assigned:
            scope = {**scope, each.name: (self.words(each.value, scope),) if each.at_once else each.value}
        return "".join([self._word(part, scope) for part in rest])

    def _word(self, part: Part, scope: Scope) -> str:
        if isinstance(part, str):
            self.budget.spend(1, len(part))
            return part
        if isinstance(part, Wildcard):
            found = _lines(part, self.wildcards)
            return self.words(found.options[self._place(found.ends)].parts, scope)
        if isinstance(part, Choice):
            return self._several(part, scope)
        assert isinstance(part, Use)
        return self.words(*_within(part, scope))

    def _several(self, choice: Choice, scope: Scope) -> str:
        options = [*_options(choice, self.wildcards)]
        least, most = min(choice.least, len(options)), min(choice.most, len(options))
        number = least + int(self.random.random() * (most - least + 1)) if least < most else least
        drawn = [options.pop(self._one_of(options)) for _ in range(number)]
        return choice.separator.join([self.words(option.parts, scope) for option in drawn])

    def _one_of(self, options: Sequence[Option]) -> int:
        self.budget.spend(len(options))
        return self._place(ends_of(options))

    def _place(self, ends: Sequence[float]) -> int:
        return min(bisect_right(ends, self.random.random() * ends[-1]), len(ends) - 1)


@dataclass
class _All:
    """All words there are. The depth of its recursion is what `check` allows."""

    wildcards: Wildcards
    budget: Budget = field(default_factory=lambda: Budget(MOST_STEPS * 10, LONGEST * 20))

    def words(self, parts: Parts, scope: Scope) -> Iterator[str]:
        self.budget.spend(WORDS)
        assigned, rest = _split(parts)
        for known in self._scopes(assigned, scope):
            yield from self._joined(rest, known)

    def _scopes(self, assigned: Sequence[Assign], scope: Scope) -> Iterator[Scope]:
        """With each of the words of what is drawn at once."""
        if not assigned:
            yield scope
            return
        first, others = assigned[0], assigned[1:]
        values = ((words,) for words in self.words(first.value, scope)) if first.at_once else [first.value]
        for value in values:
            yield from self._scopes(others, {**scope, first.name: value})

    def _joined(self, parts: Sequence[Part], scope: Scope) -> Iterator[str]:
        """Lists what each part can be, up to what may be asked for, and joins them."""
        listed = [[part] if isinstance(part, str) else self._listed(part, scope) for part in parts]
        for words in product(*listed):
            joined = "".join(words)
            self.budget.spend(1, len(joined))
            yield joined

    def _listed(self, part: Part, scope: Scope) -> list[str]:
        found: list[str] = []
        for words in self._each(part, scope):
            found.append(words)
            if len(found) > MOST_COMBINATIONS:
                raise UserError(too_many(len(found), at_least=True))
        return found

    def _each(self, part: Part, scope: Scope) -> Iterator[str]:
        if isinstance(part, Wildcard):
            for option in _lines(part, self.wildcards).options:
                yield from self.words(option.parts, scope)
        elif isinstance(part, Choice):
            yield from self._several(part, scope)
        elif isinstance(part, Use):
            yield from self.words(*_within(part, scope))

    def _several(self, choice: Choice, scope: Scope) -> Iterator[str]:
        options = _options(choice, self.wildcards)
        for number in range(min(choice.least, len(options)), min(choice.most, len(options)) + 1):
            yield from (choice.separator.join(words) for words in self._arranged(options, number, scope))

    def _arranged(self, options: Sequence[Option], number: int, scope: Scope) -> Iterator[tuple[str, ...]]:
        if not number:
            yield ()
            return
        for place, option in enumerate(options):
            others = [*options[:place], *options[place + 1 :]] if number > 1 else ()
            for words in self.words(option.parts, scope):
                yield from ((words, *rest) for rest in self._arranged(others, number - 1, scope))


@dataclass
class _Counter:
    """Counts what `_All` lists. A wildcard is counted once for each set of variables that it is in."""

    wildcards: Wildcards
    known: dict[tuple[str, tuple[tuple[str, int], ...]], int] = field(default_factory=dict[tuple[str, tuple[tuple[str, int], ...]], int])
    steps: int = 0

    def of(self, parts: Parts, scope: Mapping[str, int]) -> int:
        """`scope`: how many words each variable can be."""
        if not parts or (len(parts) == 1 and isinstance(parts[0], str)):
            return 1
        assigned, rest = _split(parts)
        total = 1
        for each in assigned:
            number = self.of(each.value, scope)
            total = _bounded(total * number) if each.at_once else total
            scope = {**scope, each.name: 1 if each.at_once else number}
        for part in rest:
            if not isinstance(part, str):
                total = _bounded(total * self._part(part, scope))
        return total

    def _part(self, part: Part, scope: Mapping[str, int]) -> int:
        if isinstance(part, Wildcard):
            return self._wildcard(part, scope)
        if isinstance(part, Choice):
            return self._choice(part, scope)
        assert isinstance(part, Use)
        if part.name in scope:
            return scope[part.name]
        return self.of(_within(part, {})[0], scope)

    def _wildcard(self, wildcard: Wildcard, scope: Mapping[str, int]) -> int:
        key = wildcard.name, tuple(sorted(scope.items()))
        if key not in self.known:
            self.known[key] = _bounded(sum(self.of(option.parts, scope) for option in _lines(wildcard, self.wildcards).options))
        return self.known[key]

    def _choice(self, choice: Choice, scope: Mapping[str, int]) -> int:
        options = _options(choice, self.wildcards)
        least, most = min(choice.least, len(options)), min(choice.most, len(options))
        if _arrangements(len(options), most) >= UNCOUNTED:
            return UNCOUNTED
        return arranged([self.of(option.parts, scope) for option in options], least, most)


def arranged(counts: Sequence[int], least: int, most: int) -> int:
    """In how many ways `least` to `most` of some things stand in a row, each of which comes in so many kinds."""
    chosen = [1, *[0] * most]  # in how many ways so many of them are chosen, without their order
    for number in counts:
        for size in range(most, 0, -1):
            chosen[size] += chosen[size - 1] * number
        if chosen[most] >= UNCOUNTED:
            return UNCOUNTED
    return _bounded(sum(math.factorial(size) * chosen[size] for size in range(least, most + 1)))


def _arrangements(things: int, places: int) -> int:
    ways = 1
    for used in range(places):
        ways = _bounded(ways * (things - used))
    return ways


def _bounded(number: int) -> int:
    return min(number, UNCOUNTED)


def too_many(number: int, at_least: bool = False) -> str:
    told = "more than a million billion" if number >= UNCOUNTED else f"{'at least ' * at_least}{number:,}"
    return f"There are {told} combinations; {MOST_COMBINATIONS:,} are the most that are drawn in one job. Take some choices out."
