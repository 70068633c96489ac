"""Values of an axis: what is typed, read as a field declares it, and what a field is filled with about the value that it has."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import Field

from models.errors import UserError
from pipelines.grids.typed import items, quoted
from pipelines.grids.typed import numbers as typed_numbers
from pipelines.requests.fields import Range, admit_field

YES = {"yes": True, "on": True, "true": True, "no": False, "off": False, "false": False}
AROUND = 5  # values that are filled in for a number
Read = tuple[object, str]  # what is put into a request, and what it is called


def numbers(title: str, limit: Range, kind: type, typed: str) -> list[Read]:
    return [(value, written(value)) for value in typed_numbers(typed, title, limit, kind)]


def flags(title: str, typed: str) -> list[Read]:
    found = items(typed)
    for each in found:
        if each.casefold() not in YES:
            raise UserError(f"{title} is yes or no; “{each[:40]}” is neither.")
    return [(YES[each.casefold()], "yes" if YES[each.casefold()] else "no") for each in found]


def choices(item: Field[object], title: str, typed: str) -> list[Read]:
    known = {name.casefold(): name for name in item.metadata["limit"].names}
    chosen = [known.get(each.casefold(), each) for each in items(typed)]
    return [(admit_field(item, each), each or "none") for each in chosen]


def models(title: str, offered: Sequence[tuple[str, str]], typed: str) -> list[Read]:
    return [(found[1], found[0]) for each in items(typed) for found in [model(title, offered, each)]]


def model(title: str, offered: Sequence[tuple[str, str]], typed: str) -> tuple[str, str]:
    """By its name, or by a part of it that no other has."""
    wanted = typed.casefold()
    same = [each for each in offered if each[0].casefold() == wanted]
    like = same or [each for each in offered if wanted in each[0].casefold()]
    if len(like) != 1:
        told = "means several of them" if like else "is not here"
        raise UserError(f"{title}: “{typed[:60]}” {told}. There are: {listed(dict(like or offered))[:400] or 'none'}.")
    return like[0]


def texts(item: Field[object], typed: str) -> list[Read]:
    return [(admit_field(item, each), each or "nothing") for each in items(typed)]


def around(value: object, limit: Range, kind: type) -> str:
    """Values about the one that is there."""
    low, high = limit.low, limit.high
    now = float(value) if isinstance(value, int | float) else low
    if high > 2**32:
        return f"{max(0, int(now))}-{max(0, int(now)) + AROUND - 1}"
    if high - low > 2 and now:
        low, high = max(low, min(now / 2, now * 1.5)), min(high, max(now / 2, now * 1.5))
    step = max(limit.step, 1) if kind is int else limit.step
    low, high = (round(each / step) * step for each in (low, high))
    return f"{written(kind(low))}-{written(kind(high))} [{AROUND}]" if not limit.snap else ", ".join(_snapped(low, high, step))


def _snapped(low: float, high: float, step: float) -> list[str]:
    spread = (low + (high - low) * place / (AROUND - 1) for place in range(AROUND))
    return list(dict.fromkeys(str(int(round(each / step) * step)) for each in spread))


def written(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:.10g}"


def listed(values: Iterable[str]) -> str:
    """As it is typed."""
    return ", ".join(map(quoted, values))
