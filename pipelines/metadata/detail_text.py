"""Details in a picture's settings text: our boxes and detailers, and those of ADetailer, whose keys ours follow where they mean the same.

ADetailer model: face_yolov8n.pt, ADetailer confidence: 0.3, ADetailer dilate erode: 4, ADetailer mask blur: 4,
ADetailer denoising strength: 0.4, ADetailer inpaint only masked: True, ADetailer inpaint padding: 32, ADetailer model 2nd: hand...

Keys: https://github.com/Bing-su/adetailer, 24.11, adetailer/args.py. There, a picture moves upwards by its y offset.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields

from models.errors import UserError
from pipelines.metadata.lists import listed, unlisted
from pipelines.requests.details import MERGES, MOST_DETAILERS, DetailBox, Detailer
from pipelines.requests.fields import admit_field
from pipelines.requests.request import Details

BOXES = "Detail boxes"
PREFIX = "ADetailer "
SUFFIXES = ("", " 2nd", " 3rd", " 4th")[:MOST_DETAILERS]
KEYS = {  # field of a detailer -> its key, without prefix and suffix
    "detector": "model", "prompt": "prompt", "strength": "denoising strength", "confidence": "confidence",
    "smallest": "mask min ratio", "largest": "mask max ratio", "most": "mask only top k", "grow": "dilate erode",
    "across": "x offset", "down": "y offset", "colour": "colour", "order": "order",
}  # fmt: skip
OLDER = {"mask only top k largest": "most", "dilate/erode": "grow"}
EDGE = {"mask blur": "mask_blur", "inpaint padding": "padding"}
OF_THE_REQUEST = {**EDGE, "mask merge invert": "together"}
ALWAYS = ("detector", "confidence", "grow")  # what ADetailer writes even where it is as usual
FIXED = {"inpaint only masked": "True"}
MERGED = {"None": MERGES[0], "Merge": MERGES[1], "Merge and Invert": MERGES[2]}
SILENT = ("version", "method to decide top k masks", "tab enable")  # they say nothing that could be done here
FIELDS = {key.casefold(): name for name, key in KEYS.items()} | OLDER
KEY = re.compile(r"ADetailer (.{1,60}?)( 2nd| 3rd| 4th)?", re.IGNORECASE)


def detail_pairs(request: Details) -> dict[str, str]:
    """Keys and values for the text."""
    pairs = {BOXES: listed([(_place(each), each.prompt) for each in request.boxes])} if request.boxes else {}
    for detailer, suffix in zip(request.detailers, SUFFIXES, strict=False):
        own = dict(_written(detailer, request)) | FIXED
        pairs |= {f"{PREFIX}{key}{suffix}": value for key, value in own.items()}
    return pairs


def read_details(pairs: Mapping[str, str]) -> dict[str, object]:
    """Of a text that we wrote: boxes and detailers as a request takes them."""
    boxes = [found for name, prompt in unlisted(pairs.get(BOXES, "")) if (found := _box(name, prompt))]
    detailers = [found for suffix in SUFFIXES if (found := _detailer(_unit(pairs, suffix))[0])]
    return {**({"boxes": boxes} if boxes else {}), **({"detailers": detailers} if detailers else {})}


def read_theirs(pairs: Mapping[str, str]) -> dict[str, object]:
    """Of a text of another studio: what a request for details would have of it, in the words of a request; nothing where it has no
    detailer. The edge of the boxes and how they are merged are those of the first one.
    """
    found = [(_detailer(unit)[0], unit) for unit in (_unit(pairs, suffix) for suffix in SUFFIXES)]
    units = [(detailer, unit) for detailer, unit in found if detailer and _acts(detailer)]
    if not units:
        return {}
    first = units[0][1]
    numbers: dict[str, object] = {name: _number(first[key]) for key, name in EDGE.items() if key in first}
    together = MERGED.get(first.get("mask merge invert", ""))
    return {"detailers": tuple(detailer for detailer, _ in units)} | numbers | ({"together": together} if together else {})


def told_details(pairs: Mapping[str, str]) -> list[str]:
    """Of a text of another studio: a sentence for each detailer, and one for each value of theirs that could not be read."""
    sentences: list[str] = []
    for suffix in SUFFIXES:
        unit = _unit(pairs, suffix)
        detailer, notes = _detailer(unit)
        if detailer and _acts(detailer):
            sentences += [f"When it was drawn, {_in_words(detailer, unit)}. Details can do that here.", *notes]
    return sentences


def _acts(detailer: Detailer) -> bool:
    return detailer.detector.casefold() != "none"


def understood(key: str) -> bool:
    """Whether a key of ADetailer, or of ours, is read here."""
    found = KEY.fullmatch(key)
    if not found:
        return key == BOXES
    return found[1].casefold() in (*FIELDS, *OF_THE_REQUEST, *FIXED, *SILENT)


def _written(detailer: Detailer, request: Details) -> Iterator[tuple[str, str]]:
    for item in fields(Detailer):
        value = getattr(detailer, item.name)
        value = -value if item.name == "down" else (value or request.denoising_strength) if item.name == "strength" else value
        if value != item.default or item.name in ALWAYS:
            yield KEYS[item.name], _text(value)
    yield "mask blur", _text(request.mask_blur)
    yield "inpaint padding", _text(request.padding)
    merged = next(theirs for theirs, ours in MERGED.items() if ours == request.together)
    if merged != "None":
        yield "mask merge invert", merged


def _unit(pairs: Mapping[str, str], suffix: str) -> dict[str, str]:
    """Their keys without prefix and suffix, in small letters."""
    found = [(match, value) for key, value in pairs.items() if (match := KEY.fullmatch(key))]
    return {match[1].casefold(): value for match, value in found if (match[2] or "").casefold() == suffix}


def _detailer(unit: Mapping[str, str]) -> tuple[Detailer | None, list[str]]:
    """And a sentence for each value that was not taken; None where no model is named."""
    values: dict[str, object] = {}
    notes: list[str] = []
    for key, name in FIELDS.items():
        item = next(item for item in fields(Detailer) if item.name == name)
        if key not in unit:
            continue
        try:
            number = _number(unit[key]) if item.type in ("int", "float") else unit[key]
            values[name] = admit_field(item, -number if name == "down" and isinstance(number, int | float) else number)
        except UserError as error:
            notes.append(f"Not taken of a detailer: {error}")
    return (Detailer(**values) if "detector" in values else None), notes  # pyright: ignore[reportArgumentType]


def _in_words(detailer: Detailer, unit: Mapping[str, str]) -> str:
    prompt = f", with the prompt “{' '.join(detailer.prompt.split())[:80]}”" if detailer.prompt.strip() else ""
    blur, padding = unit.get("mask blur", "4")[:10], unit.get("inpaint padding", "32")[:10]
    seen = f"what “{detailer.detector[:80]}” saw with confidence {detailer.confidence:g} or more"
    return (
        f"{seen} was drawn anew at strength {detailer.strength or 0.4:g}{prompt}, grown by {detailer.grow}, blur {blur}, padding {padding}"
    )


def _place(box: DetailBox) -> str:
    return f"{box.left} {box.top} {box.right} {box.bottom} {_text(box.strength)}"


def _box(name: str, prompt: str) -> dict[str, object] | None:
    numbers = [_number(part) for part in name.split(" ")]
    if len(numbers) != 5 or any(isinstance(number, str) for number in numbers):
        return None
    return {**dict(zip(("left", "top", "right", "bottom", "strength"), numbers, strict=True)), "prompt": prompt}


def _number(text: str) -> int | float | str:
    if re.fullmatch(r"-?\d{1,9}", text, re.ASCII):
        return int(text)
    return float(text) if re.fullmatch(r"-?\d{1,9}\.\d{1,18}", text, re.ASCII) else text


def _text(value: object) -> str:
    return repr(value).removesuffix(".0") if isinstance(value, int | float) else str(value)
