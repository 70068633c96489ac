"""JSON values from outside (a file, a page, another program): `object` to everybody until a function here has looked at it.

JSON has no other tables than those with texts as keys, so a dict that came out of `json.loads` is one of `str` to `object`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeGuard


def is_table(value: object) -> TypeGuard[dict[str, object]]:
    return isinstance(value, dict)


def is_text_table(value: object) -> TypeGuard[dict[str, str]]:
    return is_table(value) and all(isinstance(entry, str) for entry in value.values())


def is_list(value: object) -> TypeGuard[list[object]]:
    return isinstance(value, list)


def is_row(value: object) -> TypeGuard[Sequence[object]]:
    """A list, or a tuple, which stands for one in tables of our own."""
    return isinstance(value, list | tuple)


def is_whole(value: object) -> TypeGuard[int]:
    """A whole number and no truth value, which Python counts among them."""
    return type(value) is int


def is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def table(value: object) -> dict[str, object]:
    """The table that it is; an empty one for anything else."""
    return value if is_table(value) else {}


def listed(value: object) -> list[object]:
    """The list that it is; an empty one for anything else."""
    return value if is_list(value) else []


def text(values: Mapping[str, object], name: str, default: str = "") -> str:
    """The text under this name; `default` where there is none."""
    value = values.get(name, default)
    return value if isinstance(value, str) else default
