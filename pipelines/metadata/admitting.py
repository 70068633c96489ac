"""Values out of a text, as a request can hold them: a number beyond a limit is put on it, what is no value is left out, both are said."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import TypeGuard

from models.errors import UserError
from models.families import PIXELS_PER_LATENT
from models.json_values import is_number
from pipelines.requests.fields import Range
from pipelines.requests.request import MEGAPIXELS, Drawing, Request
from pipelines.requests.tiles import TILED_MEGAPIXELS

EXACT = ("seed", "variation_seed")  # another number of these would be another picture
SIDES = ("width", "height")


def admitted(
    kind: type[Request], values: Mapping[str, object], beside: Mapping[str, object] | None = None
) -> tuple[dict[str, object], tuple[str, ...]]:
    """The values that a request of this kind takes, and a sentence for each that is another now or was not taken. `beside`: sound
    values that go with each of them.
    """
    beside = beside or {}
    notes: list[str] = []
    near = {name: _near(kind, name, value, notes) for name, value in values.items()}
    near |= _size(values, notes, TILED_MEGAPIXELS if beside else MEGAPIXELS) if issubclass(kind, Drawing) else {}
    taken: dict[str, object] = {}
    for group in _groups(near):
        try:
            request = kind.admit({**beside, **group})
        except UserError as error:
            notes.append(f"Not taken: {error}")
        else:
            taken |= {name: getattr(request, name) for name in group}
    return taken, tuple(notes)


def _groups(values: Mapping[str, object]) -> list[dict[str, object]]:
    """Each value by itself, and the size as a pair."""
    size = {name: values[name] for name in SIDES if name in values}
    return [*({name: value} for name, value in values.items() if name not in SIDES), *([size] if size else [])]


def _near(kind: type[Request], name: str, value: object, notes: list[str]) -> object:
    item = next((item for item in fields(kind) if item.name == name), None)
    limit = item.metadata["limit"] if item else None
    if not isinstance(limit, Range) or name in (*EXACT, *SIDES) or not _is_number(value):
        return value
    nearest = min(max(value, limit.low), limit.high)
    if nearest == value:
        return value
    assert item
    notes.append(f"{item.metadata['title']} is {nearest:g} instead of {value:.10g}: the {'most' if value > nearest else 'least'} there is.")
    return int(nearest) if item.type == "int" else nearest


def _size(values: Mapping[str, object], notes: list[str], megapixels: float) -> dict[str, int]:
    """Width and height within their limits, and together within the largest area, in the same shape."""
    asked = [side for name in SIDES if _is_number(side := values.get(name)) and side > 0]
    if len(asked) < len(SIDES):
        return {}
    width, height = (min(max(float(side), 64), 4096) for side in asked)
    share = min(1.0, math.sqrt(megapixels * 1e6 / (width * height)))
    step = PIXELS_PER_LATENT
    found = {name: max(64, int(side * share) // step * step) for name, side in zip(SIDES, (width, height), strict=True)}
    if share == 1 and [width, height] == asked:
        return {}
    notes.append(f"The size is {found['width']} x {found['height']} instead of {asked[0]:.10g} x {asked[1]:.10g}, which cannot be drawn.")
    return found


def _is_number(value: object) -> TypeGuard[int | float]:
    return is_number(value) and math.isfinite(value)
