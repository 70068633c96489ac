"""Arguments of component functions: each is checked before the function runs, as its annotation says, and long texts are refused."""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any

from pipelines import longest
from ui.door.bodies import Refused


def check_argument(function: Callable[..., Any], value: Any) -> None:
    """Raises `Refused` for what the function does not take, before any work is done with it."""
    first = next(iter(inspect.signature(inspect.unwrap(function)).parameters.values()), None)
    wanted = _sort(inspect.unwrap(function), first.name) if first is not None else object
    if not isinstance(value, wanted):
        raise Refused(422, "The page sent something that this does not take. Reload it.")
    if (most := longest()) < (length := _longest_text(value)):
        raise Refused(413, f"A text of {length:,} characters is too long; {most:,} is the most. Shorten it.")


def _sort(function: Callable[..., Any], name: str) -> Any:
    """The class that an annotation such as dict[str, Any] stands for."""
    hint = typing.get_type_hints(function).get(name, Any)
    if hint is Any:
        return object
    origin = typing.get_origin(hint) or hint
    if origin in (typing.Union, types.UnionType):
        return tuple(typing.get_origin(each) or each for each in typing.get_args(hint))
    return Mapping if origin is Mapping else origin


def _longest_text(value: Any) -> int:
    """Characters of the longest text anywhere inside. The door has bounded depth and number already."""
    waiting, most = [value], 0
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            most = max(most, len(each))
        elif isinstance(each, dict):
            waiting.extend((*each, *each.values()))
        elif isinstance(each, list):
            waiting.extend(each)
    return most
