"""Control units in a picture's settings text, both ways.

Module: Canny, Model: outlines, Weight: 1, Resize Mode: Crop and Resize, Image hash: 0123456789ab
"""

from __future__ import annotations

import re
from dataclasses import Field, fields
from typing import Any

from models.errors import UserError
from pipelines.metadata.lists import listed, unlisted
from pipelines.preprocessors import PREPROCESSORS
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.fields import admit_field

SHOWN_HASH = 12  # digits

# A control unit's fields under the names that others read (sd-webui-controlnet 1.1.4, scripts/infotext.py); our own follow them.
UNIT_KEYS = {
    "preprocessor": "Module", "name": "Model", "weight": "Weight", "resize_mode": "Resize Mode", "resolution": "Processor Res",
    "threshold_a": "Threshold A", "threshold_b": "Threshold B", "start": "Guidance Start", "end": "Guidance End",
    "pixel_perfect": "Pixel Perfect", "mode": "Control Mode", "curve": "Weight Curve", "union_kind": "Union Kind",
    "image": "Image hash", "mask": "Region hash",
}  # fmt: skip
UNIT_NAMES = {
    "Balanced": "Balanced", "Prompt": "My prompt is more important", "Control": "ControlNet is more important",
    "Stretch": "Just Resize", "Crop": "Crop and Resize", "Fill": "Resize and Fill",
}  # fmt: skip
OURS = {written.casefold(): own for own, written in UNIT_NAMES.items()}
FIELDS = {key.casefold(): name for name, key in UNIT_KEYS.items()}
TRUTHS: dict[str, object] = {"true": True, "false": False}
SHORT_HASH = re.compile(r"\s*\[[0-9a-f]{6,12}\]$")  # that others put behind a model's name


def unit_text(use: ControlUse) -> str:
    values = {key: getattr(use, name) for name, key in UNIT_KEYS.items()}
    return listed([(key, _text(key, value)) for key, value in values.items() if value != ""])


def read_unit(text: str, place: int) -> tuple[ControlUse, dict[str, str], list[str]]:
    """The unit, the beginnings of the ids of its pictures by field, and a sentence for each value that was not taken."""
    pairs = [(FIELDS.get(key.casefold(), ""), value) for key, value in unlisted(text)]
    pictures = {name: value for name, value in pairs if name in ("image", "mask")}
    values: dict[str, Any] = {}  # Any: of each field its own type
    notes: list[str] = []
    for name, value in pairs:
        if name and name not in pictures:
            try:
                values[name] = _value(name, value)
            except UserError as error:
                notes.append(f"Not taken of control unit {place}: {error}")
    return ControlUse(**values), pictures, notes


def _text(key: str, value: object) -> str:
    if key.endswith("hash"):
        return str(value)[:SHOWN_HASH]
    text = repr(value).removesuffix(".0") if isinstance(value, int | float) and not isinstance(value, bool) else str(value)
    return UNIT_NAMES.get(text, text)


def _value(name: str, text: str) -> object:
    """Raises `UserError` when the field cannot hold it."""
    item = next(item for item in fields(ControlUse) if item.name == name)
    return admit_field(item, _plain(item, OURS.get(text.casefold(), text)))


def _plain(item: Field[object], text: str) -> object:
    if item.type == "bool":
        return TRUTHS.get(text.casefold(), text)
    if item.type in ("int", "float"):
        return float(text) if re.fullmatch(r"[+-]?\d{1,9}(\.\d{1,18})?(e[+-]?\d{1,3})?", text, re.ASCII) else text
    if item.name == "preprocessor":
        return _preprocessor(text)
    return SHORT_HASH.sub("", text) if item.name == "name" else text


def _preprocessor(text: str) -> str:
    known = {name.casefold(): name for name in PREPROCESSORS}
    if text.casefold() not in known:
        raise UserError(f"The preprocessor “{text[:80]}” is not known here.")
    return known[text.casefold()]
