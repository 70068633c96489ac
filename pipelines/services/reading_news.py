"""A reading as the page shows it: values in groups, each with how it is known, models with what they are here, and the rest."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import Field, fields, is_dataclass
from typing import Any

from models.json_values import is_row
from pipelines.metadata.hires_text import CHECKPOINT, UPSCALER
from pipelines.metadata.picture_settings import Reading
from pipelines.metadata.provenance import ENLARGER
from pipelines.requests.groups import Group
from pipelines.requests.request import Request
from pipelines.resolving.model_search import Binding
from pipelines.resolving.rebind import Rebound
from pipelines.services.answers import ReadingNews, ReadModel, ReadValue, UnknownValue

PLACES = {
    "Model": "checkpoint", "Refiner": "refiner", CHECKPOINT: "hires_checkpoint", UPSCALER: "hires_upscaler", ENLARGER: "enlarged_by",
    "vae": "vae", "lora": "loras", "hypernetwork": "hypernetworks", "embedding": "embeddings", "controlnet": "controls",
    "adapter": "controls",
}  # fmt: skip
MODELS = ("checkpoint", "refiner", "hires_checkpoint", "vae", "enlarged_by")  # fields that hold an id; what is shown is a name
MAY_BE_MODELS = (*MODELS, "hires_upscaler")  # and what holds an id or the name of a filter
LONGEST = 100_000  # characters of a value


def news_of(reading_id: str, reading: Reading, found: Rebound) -> ReadingNews:
    request = found.request
    return {
        "id": reading_id,
        "kind": request.kind,
        "program": sound(reading.program),
        "version": sound(reading.version),
        "words_alone": reading.words_alone,
        "values": list(_values(reading, request, found.bindings)),
        "models": [_model(binding) for binding in found.bindings if binding.name or binding.digest],
        "unknown": [UnknownValue(name=sound(name[:80]), shown=sound(value[:300])) for name, value in list(reading.unknown.items())[:200]],
        "notes": list(map(sound, found.notes)),
        "detailers": len(detailers) if is_row(detailers := reading.details.get("detailers")) else 0,
    }


def sound(text: str) -> str:
    """Without halves of letters, which no answer can hold."""
    return text.encode("utf-8", "replace").decode()


def _values(reading: Reading, request: Request, bindings: tuple[Binding, ...]) -> Iterator[ReadValue]:
    here = {PLACES.get(binding.place, ""): binding for binding in bindings if binding.called}
    for item in fields(request):
        name = item.name
        binding = here.get(name) if name in MAY_BE_MODELS else None
        if binding and binding.name:
            yield _value(item, binding.called, _likely(binding))
        elif name in reading.told and name not in MODELS:
            yield _value(item, shown_value(getattr(request, name)), reading.guessed.get(name, ""))


def _value(item: Field[Any], shown: str, why: str) -> ReadValue:  # Any: of each field its own type
    found: object = item.metadata["group"]
    group = found.title if isinstance(found, Group) else "More"
    how = "guessed" if why else "read"
    return {
        "name": item.name,
        "title": item.metadata["title"],
        "group": group,
        "shown": sound(shown[:LONGEST]),
        "how": how,
        "why": sound(why),
    }


def _likely(binding: Binding) -> str:
    """Why a model is only likely the one that was meant."""
    if binding.how == "name":
        return f"Found by its name alone: “{binding.name[:80]}”."
    if binding.how == "another":
        return "Another file of that name: its content is not the same."
    return "It is still being compared with the file that was used." if binding.how == "comparing" else ""


def _model(binding: Binding) -> ReadModel:
    return {
        "field": PLACES.get(binding.place, ""),
        "name": sound(binding.name[:300]),
        "hash": sound(binding.digest[:64]),
        "here": sound(binding.called[:300]),
        "how": binding.how,
    }


def shown_value(value: object) -> str:
    """A value of a request, for people."""
    if isinstance(value, tuple):
        return ", ".join(map(_entry, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    if isinstance(value, float):
        return f"{value:.10g}"
    return "yes" if value is True else "no" if value is False else str(value)


def _entry(value: object) -> str:
    """A LoRA as "ink 0.5", a control unit as "Canny, outlines 1", a picture by its name."""
    if not is_dataclass(value):
        return str(value)
    names = [str(getattr(value, name)) for name in ("preprocessor", "name", "word") if getattr(value, name, "")]
    strength = next((getattr(value, name) for name in ("unet", "strength", "weight") if hasattr(value, name)), None)
    return f"{', '.join(names)}{'' if strength is None else f' {strength:.4g}'}"
