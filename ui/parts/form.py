"""Forms: a form is a request made of components: the same field names, or the page does not build.

Values travel by name in both directions. Gradio's own checks are switched off where a form is read: the request knows the
limits, and its sentences name the field.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import Field, asdict, dataclass, fields
from typing import TYPE_CHECKING, cast

import gradio as gr
from gradio.components import Component

from models.json_values import is_table, table, text
from pipelines import KINDS, Drawing, Kind, Limit, Range, Request, UserError, Wordless, describe, form_of, limits
from ui.gradio_types import Update, skip

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

LONGEST = 300_000  # characters of what a form carries out of sight
EXACT = 2**53  # JavaScript's numbers lose digits beyond it, so a field with a higher limit is shown as text


FIRST = "first"  # the first pass, of a second one
ORIGIN = "origin"  # within what is carried: the picture whose settings these are
CARRIED = "carried"  # the component that carries what the studio found by itself when a picture was made, out of sight


@dataclass(frozen=True)
class Form:
    """The components of one kind of request, by field name. `inputs` is what Gradio calls `inputs_kwargs`.

    One more component is called "carried": the fields that the page does not show, as JSON text, so that a form that is filled with a
    picture's settings makes that very picture. What is in it counts as long as its seal holds (`pipelines.requests.as_made`).
    """

    kind: type[Request]
    inputs: dict[str, Component]

    def __post_init__(self) -> None:
        declared = {item.name for item in fields(self.kind) if not item.metadata["derived"]}  # the studio finds the others by itself
        shown = set(self.inputs) - {CARRIED}
        if declared != shown:
            missing, extra = sorted(declared - shown) or "none", sorted(shown - declared) or "none"
            raise TypeError(f"The form of {self.kind.__name__} is not its request. Missing: {missing}. Too many: {extra}.")

    @property
    def names(self) -> list[str]:
        return list(self.inputs)

    @property
    def components(self) -> list[Component]:
        return list(self.inputs.values())

    def read(self, **values: object) -> Request:
        """The request that the form holds. Raises `UserError` when a value is missing, unknown or out of its limits."""
        return read(self.kind, values)

    def adjusted(self, values: Mapping[str, object], request: Request) -> list[str]:
        """Sentences about numbers that were put on the nearest one that the request can hold."""
        sentences: list[str] = []
        for name, limit in limits(self.kind).items():
            given, kept = values.get(name), getattr(request, name)
            if isinstance(limit, Range) and limit.snap and name in values and given != kept:
                title = declared(self.kind, name).metadata["title"]
                sentences.append(f"{title} is {kept} instead of {given}: multiples of {limit.step:g} only.")
        return sentences

    @property
    def snapped(self) -> list[str]:
        """The fields whose numbers are put on the nearest one that the request can hold."""
        return [name for name, limit in limits(self.kind).items() if isinstance(limit, Range) and limit.snap and name in self.inputs]

    def kept(self, values: Sequence[object]) -> list[Update]:
        """Updates for the fields of `snapped`, which hold these values: the number that is used, where that is another one."""
        return [self._on_grid(name, value) for name, value in zip(self.snapped, values, strict=True)]

    def _on_grid(self, name: str, value: object) -> Update:
        item = declared(self.kind, name)
        try:
            used = item.metadata["limit"].admit(item.metadata["title"], value, int)
        except UserError:
            return skip()  # it was typed since
        return skip() if used == value else gr.update(value=used)

    def fill(self, request: Request, leave: Collection[str] = (), **values: object) -> dict[Component, Update]:
        """Updates that show the request, and these values instead of its own. What this form does not have is left out, and the
        other way round; so is what `leave` names."""
        own = limits(type(request))
        wanted = {name: getattr(request, name) for name in self.inputs if name in own and name not in leave} | values
        wanted |= {CARRIED: carried(request)} if CARRIED not in (*leave, *values) else {}
        return {self.inputs[name]: gr.update(value=self._shown(name, value)) for name, value in wanted.items() if name in self.inputs}

    def _shown(self, name: str, value: object) -> object:
        if isinstance(value, tuple):
            return [asdict(entry) for entry in cast("tuple[DataclassInstance, ...]", value)]
        return str(value) if name != CARRIED and self._as_text(name) else value

    def _as_text(self, name: str) -> bool:
        return is_exact(declared(self.kind, name).metadata["limit"])


@dataclass(frozen=True)
class TabForm:
    """The form of one tab, and the buttons that belong to it: "generate", of a drawing also "swap", "dice" and "reuse"."""

    form: Form
    buttons: Mapping[str, gr.Button]


def read(kind: type[Kind], values: Mapping[str, object]) -> Kind:
    """The request that a form's values make. Raises `UserError` when one is missing, unknown or out of its limits."""
    decided = carried_values(kind, values.get(CARRIED))
    return kind.admit({name: _plain(kind, name, value) for name, value in values.items() if name != CARRIED} | decided)


def drawing_of(kind: object, values: object) -> Drawing:
    """What a form with a prompt holds, also where that could not be drawn. Raises `UserError` for what is no such form."""
    if not isinstance(kind, str) or not is_table(values) or not issubclass(drawn := KINDS.get(kind, Request), Drawing):
        raise UserError("Something was missing in what the page sent. Reload it.")
    try:
        return read(drawn, values)
    except UserError:
        return form_of(drawn, values)


def carried(request: Request, origin: str = "") -> str:
    """The fields that no control shows, as text: those that are not at their defaults. What the studio decided when a picture was made
    is carried for one that is to be made as it was, and in any case what the picture is that it begins with, and whose settings these are.
    """
    values = {**_decided(request), **({ORIGIN: origin} if origin else {})}
    return json.dumps(values) if values else ""


def _decided(request: Request) -> dict[str, object]:
    if not isinstance(request, Drawing | Wordless):
        return {}
    hidden = [item for item in fields(request) if item.metadata["derived"] and getattr(request, item.name) != item.default]
    told = describe(request)
    return {item.name: told[item.name] for item in hidden if request.as_made or item.name == FIRST}


def origin_of(values: Mapping[str, object]) -> str:
    """The id of the picture whose settings a form was filled with, when that is another person's; "" for none."""
    return text(_read(values.get(CARRIED)), ORIGIN)


def carried_values(kind: type[Request], told: object) -> dict[str, object]:
    """What `carried` wrote; nothing of what it did not write, or would not fit any more."""
    names = {item.name for item in fields(kind) if item.metadata["derived"]}
    hidden = {name: value for name, value in _read(told).items() if name in names}
    try:
        kind.admit(hidden)
    except (ValueError, AttributeError, RecursionError, UserError):
        return {}
    return hidden


def _read(carried: object) -> dict[str, object]:
    try:
        return table(json.loads(carried)) if isinstance(carried, str) and len(carried) <= LONGEST else {}
    except (ValueError, RecursionError):
        return {}


def _plain(kind: type[Request], name: str, value: object) -> object:
    known = next((item for item in fields(kind) if item.name == name), None)
    return exact_integer(value, known) if known and is_exact(known.metadata["limit"]) else value


def declared(kind: type[Request], name: str) -> Field[object]:
    """The request's own declaration of a field: type, default, limits, words."""
    for item in fields(kind):
        if item.name == name:
            return item
    raise TypeError(f"{kind.__name__} has no field {name!r}, so no control can show it.")


def is_exact(limit: Limit) -> bool:
    return isinstance(limit, Range) and limit.high > EXACT


def exact_integer(value: object, item: Field[object]) -> object:
    """The integer that is written in a text, every digit kept; empty means the default. Other things are left as they are."""
    if not isinstance(value, str):
        return value
    text = value.strip().replace("\u2212", "-").replace("_", "")
    if not text:
        return item.default
    if len(text) > 30 or not text.lstrip("-").isascii() or not text.lstrip("-").isdigit() or text.count("-") > 1:
        raise UserError(f"{item.metadata['title']} must be a whole number; “{value[:40]}” is not.")
    return int(text)
