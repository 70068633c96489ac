"""Arguments of component functions: each is checked before the function runs, as its annotation says, and long texts are refused."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable

from models.json_values import is_table, listed
from pipelines import longest
from ui.door.bodies import Refused


def check_argument(function: Callable[..., object], value: object) -> None:
    """Raises `Refused` for what the function does not take, before any work is done with it."""
    first = next(iter(inspect.signature(inspect.unwrap(function)).parameters.values()), None)
    wanted = _sorts(inspect.unwrap(function), first.name) if first is not None else (object,)
    if not isinstance(value, wanted):
        raise Refused(422, "The page sent something that this does not take. Reload it.")
    if (most := longest()) < (length := _longest_text(value)):
        raise Refused(413, f"A text of {length:,} characters is too long; {most:,} is the most. Shorten it.")


def _sorts(function: Callable[..., object], name: str) -> tuple[type, ...]:
    """The classes that an annotation stands for: a message is a dict, a list[int] a list."""
    hint = typing.get_type_hints(function).get(name, object)
    each = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
    return tuple(_class_of(one) for one in each)


def _class_of(hint: object) -> type:
    if hint is typing.Any:  # Any: of a function that looks for itself
        return object
    return dict if typing.is_typeddict(hint) else typing.cast(type, typing.get_origin(hint) or hint)


def _longest_text(value: object) -> int:
    """Characters of the longest text anywhere inside. The door has bounded depth and number already."""
    waiting, most = [value], 0
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            most = max(most, len(each))
        elif is_table(each):
            waiting.extend((*each, *each.values()))
        else:
            waiting.extend(listed(each))
    return most
