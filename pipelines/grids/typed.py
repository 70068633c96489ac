"""What is typed on an axis: values with commas, and ranges of numbers as A1111 1.10 writes them (scripts/xyz_grid.py).

a, b, "c, d"       three values; commas within quotes belong to a value, "" in quotes is a quote, and "" alone is an empty value
1-5                1, 2, 3, 4, 5
1-5 (+2)           1, 3, 5
10-1 (-3)          10, 7, 4, 1; without the step, a range that falls goes down by 1
1-10 [5]           five values with equal distances, both ends among them; whole numbers are cut off, as there: 1, 3, 5, 7, 10

A1111's ranges of numbers with points may go beyond their end by a step; here they do not.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import TypeVar

from models.errors import UserError
from pipelines.requests.fields import Range

MOST_VALUES = 200  # of one axis
WAYS = "Numbers, or ranges: 1-5, 1-5 (+2), 1-10 [5]"
ITEM = re.compile(r'[^\S\n]*(?:"((?:[^"]|"")*)"?)?([^,\n]*)([,\n]|$)')
NUMBER = r"[+-]?\s*(?:\d{1,20}(?:\.\d{0,10})?|\.\d{1,10})"
ALONE = re.compile(NUMBER, re.ASCII)
Values = TypeVar("Values", list[str], list[int | float], range)
RANGE = re.compile(rf"({NUMBER})\s*-\s*({NUMBER})\s*(?:\(\s*({NUMBER})\s*\)|\[\s*(\d{{1,4}})\s*\])?", re.ASCII)


def items(text: str) -> list[str]:
    """The values of a list. Those that are empty and not in quotes are none."""
    found: list[str] = []
    place = 0
    while match := ITEM.match(text, place):
        quoted, rest, separator = match.groups()
        value = rest.strip() if quoted is None else quoted.replace('""', '"') + rest.rstrip()
        found += [value] if value or quoted is not None else []
        place = match.end()
        if not separator:
            break
    return _few(found)


def numbers(text: str, title: str, limit: Range, kind: type) -> list[int | float]:
    """Of a field with these limits. Raises `UserError` with a sentence that says what is allowed."""
    found: list[int | float] = []
    for item in items(text):
        found += [_admitted(value, title, limit, kind) for value in _values(item, kind, limit)]
        _few(found)
    return found


def allowed(limit: Range) -> str:
    """The limits in words."""
    return f"{limit.low:g} and above" if limit.high > 2**53 else f"{limit.low:g} to {limit.high:.15g}"


def quoted(value: str) -> str:
    """As a list has it."""
    plain = value == value.strip() and value and not re.search(r'[,\n"]', value)
    return value if plain else f'"{value.replace(chr(34), chr(34) * 2)}"'


def _values(item: str, kind: type, limit: Range) -> Iterator[Decimal]:
    if ALONE.fullmatch(item):
        yield _decimal(item)
    elif (found := RANGE.fullmatch(item)) is None:
        raise UserError(f"“{item[:40]}” is not a number. Write numbers, or ranges like 1-5, 1-5 (+2) or 1-10 [5]; from {allowed(limit)}.")
    elif found[4] is not None:
        yield from _spread(_decimal(found[1]), _decimal(found[2]), int(found[4]), kind)
    else:
        yield from _steps(item, _decimal(found[1]), _decimal(found[2]), found[3])


def _steps(item: str, start: Decimal, end: Decimal, written: str | None) -> Iterator[Decimal]:
    step = _decimal(written) if written else Decimal(1 if end >= start else -1)
    if step == 0 or (end - start) * step < 0:
        raise UserError(f"“{item[:40]}” never comes to its end. Turn the step round: a range that falls needs ({-step:+f}).")
    count = int((end - start) / step) + 1
    _few(range(count))
    yield from (start + step * place for place in range(count))


def _spread(start: Decimal, end: Decimal, count: int, kind: type) -> Iterator[Decimal]:
    _few(range(count))
    for place in range(count):
        value = start + (end - start) * place / max(1, count - 1)
        yield Decimal(int(value)) if kind is int else round(value, 6)


def _admitted(value: Decimal, title: str, limit: Range, kind: type) -> int | float:
    """Never put on the nearest limit, as a field may be: two cells would be one picture."""
    if not Decimal(str(limit.low)) <= value <= Decimal(str(limit.high)):
        raise UserError(f"{title} goes from {allowed(limit)}; {value:f} is not in there.")
    if kind is int and value != int(value):
        raise UserError(f"{title} must be a whole number; {value:f} is not.")
    return kind(limit.admit(title, kind(value), kind))


def _decimal(text: str) -> Decimal:
    return Decimal(text.replace(" ", "").replace("\t", ""))


def _few(values: Values) -> Values:
    if len(values) > MOST_VALUES:
        raise UserError(f"This axis has {len(values):,} values; {MOST_VALUES} are the most. Take some away.")
    return values
