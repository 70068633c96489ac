"""Fields of a request: each kind of limit admits a value from outside, or says in a sentence why not."""

from __future__ import annotations

import math
import re
import unicodedata
from dataclasses import Field, dataclass, field, fields
from typing import Any

from models.errors import UserError
from models.json_values import is_number, is_row, is_table

INPUT_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`, both included. An int field with `step` 8 holds multiples of 8."""

    low: float
    high: float
    step: float = 1
    snap: bool = False  # put a number between two steps on the nearest one, and say so, instead of refusing it
    clamp: bool = False  # put a number beyond the limits on the nearest limit instead of refusing it

    def admit(self, name: str, value: object, kind: type) -> int | float:
        number = _number(name, value, kind)
        if self.clamp:
            number = kind(min(max(number, self.low), self.high))
        if not self.low <= number <= self.high:
            raise UserError(f"{name} must be between {self.low:g} and {self.high:.15g}; {value!r} is not.")
        return kind(round(number / self.step) * self.step) if self.snap else number


@dataclass(frozen=True, slots=True)
class Text:
    """Text of at most `length` characters. It is stored in Unicode NFC, without NUL and lone surrogates."""

    length: int

    def admit(self, name: str, value: object, kind: type) -> str:
        if not isinstance(value, str):
            raise UserError(f"{name} must be text.")
        clean = unicodedata.normalize("NFC", value.encode("utf-8", "ignore").decode().replace("\0", ""))
        if len(clean) > self.length:
            raise UserError(f"{name} has {len(clean):,} characters; {self.length:,} is the most. Shorten it.")
        return clean


@dataclass(frozen=True, slots=True)
class Choice:
    """One of `names`; empty `names` means that another part checks it (an id of the catalogue, say)."""

    names: tuple[str, ...] = ()

    def admit(self, name: str, value: object, kind: type) -> str:
        if not isinstance(value, str) or len(value) > 200:
            raise UserError(f"{name} must be a name from the list.")
        if self.names and value not in self.names:
            raise UserError(f"{name} “{value}” is not known. Choose one of: {', '.join(filter(None, self.names))}.")
        return value


@dataclass(frozen=True, slots=True)
class Flag:
    """Yes or no."""

    def admit(self, name: str, value: object, kind: type) -> bool:
        if not isinstance(value, bool):
            raise UserError(f"{name} must be yes or no.")
        return value


@dataclass(frozen=True, slots=True)
class Stored:
    """The id of an input picture or mask that the studio keeps: 64 hexadecimal digits, or nothing. Whose it is, is checked elsewhere."""

    def admit(self, name: str, value: object, kind: type) -> str:
        if not isinstance(value, str) or (value and not INPUT_ID.fullmatch(value)):
            raise UserError(f"{name} must be a picture that was put in here.")
        return value


@dataclass(frozen=True, slots=True)
class Several:
    """At most `most` entries of one kind, each a frozen dataclass with limited fields of its own. JSON: a list of objects."""

    entry: type[Any]  # Any: one of the frozen dataclasses
    most: int

    def admit(self, name: str, value: object, kind: type) -> tuple[object, ...]:
        if not is_row(value):
            raise UserError(f"{name} must be a list.")
        if len(value) > self.most:
            raise UserError(f"{name} has {len(value)} entries; {self.most} is the most. Remove some.")
        return tuple(self._entry(name, item) for item in value)

    def _entry(self, name: str, value: object) -> object:
        known = {item.name: item for item in fields(self.entry)}
        if isinstance(value, self.entry):
            value = {name: getattr(value, name) for name in known}
        if not is_table(value) or not value.keys() <= known.keys():
            raise UserError(f"{name} holds an entry that this version cannot read.")
        return self.entry(**{key: admit_field(known[key], part) for key, part in value.items()})


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole drawing that another one holds: described as one is, with its kind."""

    def admit(self, name: str, value: object, kind: type) -> object:
        from pipelines.requests.branch import check_depth
        from pipelines.requests.request import Drawing, restore  # which declare their fields by these limits

        found = value
        if is_table(value):
            check_depth(value)
            found = restore(value)
        if found is not None and not isinstance(found, Drawing):
            raise UserError(f"{name} must be a drawing.")
        return found


Limit = Range | Text | Choice | Flag | Stored | Several | Whole


# Any: a field of a dataclass is written as its default, whatever type that has.
def limited(default: Any, limit: Limit, title: str, info: str = "", derived: bool = False, group: object = None) -> Any:
    """A field: its default, its limits, and the words the page shows for it. Those of a request are declared by their group
    (`pipelines.requests.groups`).

    A derived one is found by the studio when the request comes in, and has no control on the page.
    """
    return field(default=default, metadata={"limit": limit, "title": title, "info": info, "derived": derived, "group": group})


# Any: the value has the type of the field, which is only known when it is looked up.
def admit_field(item: Field[Any], value: object) -> Any:
    types: dict[object, type] = {"int": int, "float": float, "str": str, "bool": bool}
    return item.metadata["limit"].admit(item.metadata["title"], value, types.get(item.type, tuple))


def _number(name: str, value: object, kind: type) -> int | float:
    if not is_number(value) or not math.isfinite(value):
        raise UserError(f"{name} must be a number.")
    if kind is int and value != int(value):
        raise UserError(f"{name} must be a whole number; {value!r} is not.")
    return kind(value)
