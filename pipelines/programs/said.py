"""A program's own words about a picture, in the names of a request: values, models, and what nothing here stands for."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from models.json_values import is_number
from pipelines.programs.names import Near, instead, sampler_of, schedule_of

MOST_REST = 200  # keys or nodes that are named
LONGEST_REST = 300  # characters of each
LONGEST_NUMBER = 30  # digits
NUMBER = re.compile(r"[+-]?(\d{1,30}(\.\d{0,30})?|\.\d{1,30})(e[+-]?\d{1,3})?", re.ASCII | re.IGNORECASE)
DIGEST = re.compile(r"[0-9a-f]{8,64}", re.IGNORECASE)  # the beginning of a SHA-256; other kinds of hash find nothing here
ENDINGS = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".sft", ".gguf")

ModelPlace = Literal["checkpoint", "refiner", "vae", "lora", "hypernetwork", "embedding"]


class ModelSaid(NamedTuple):
    """A model by the name that the program gives it. `digest`: hexadecimal digits of its SHA-256, or ""."""

    place: ModelPlace
    name: str
    digest: str = ""
    weight: float = 1.0
    text_weight: float = 1.0  # on the text encoder


class Texts(NamedTuple):
    """The texts of a picture by name, and those of them that are JSON objects."""

    plain: Mapping[str, str]
    tables: Mapping[str, dict[str, object]]

    def first(self, *names: str) -> dict[str, object]:
        """The first of these that is a JSON object; an empty one where none is."""
        return next((self.tables[name] for name in names if name in self.tables), dict[str, object]())


@dataclass
class Said:
    """`values`: request field -> value, not yet checked against any limit. `guessed`: field -> why it is only likely."""

    program: str
    version: str = ""
    values: dict[str, object] = field(default_factory=dict[str, object])
    guessed: dict[str, str] = field(default_factory=dict[str, str])
    models: list[ModelSaid] = field(default_factory=list[ModelSaid])
    rest: dict[str, str] = field(default_factory=dict[str, str])
    notes: list[str] = field(default_factory=list[str])
    begins_with_picture: bool = False
    has_mask: bool = False

    def put(self, name: str, value: object, why: str = "") -> None:
        """A value, unless there is none. `why`: it does not stand there in so many words."""
        if value is None or (isinstance(value, str) and not value and name not in ("prompt", "negative_prompt")):
            return
        self.values[name] = value
        self.guessed.pop(name, None)
        if why:
            self.guessed[name] = why

    def sampler(self, name: object, schedule: object = None) -> None:
        """Both in our words. What is only the nearest of ours is said so."""
        near = sampler_of(name) if isinstance(name, str) else Near("", False)
        self._nearest("sampler", name, near)
        written = schedule if isinstance(schedule, str) and schedule else near.schedule
        if written:
            self._nearest("schedule", written, schedule_of(written))

    def _nearest(self, name: str, written: object, near: Near) -> None:
        if near.name:
            self.put(name, near.name, "" if near.sure else instead(str(written), near.name))
        else:
            self.leave(name, written)

    def model(self, place: ModelPlace, name: object, digest: object = "", weight: object = 1.0, text_weight: object = None) -> None:
        """A model, unless its name says that there is none."""
        if not isinstance(name, str) or name.strip().casefold() in ("", "none", "automatic"):
            return
        strength = number(weight)
        unet = float(strength) if isinstance(strength, int | float) else 1.0
        words = number(text_weight)
        found = digest.casefold() if isinstance(digest, str) and DIGEST.fullmatch(digest) else ""
        self.models.append(ModelSaid(place, bare_name(name), found, unet, float(words) if isinstance(words, int | float) else unet))

    def leave(self, key: str, value: object) -> None:
        """Something that no field stands for, shortened; what is off or zero says nothing."""
        if len(self.rest) < MOST_REST and value not in (None, "", [], {}, False):
            self.rest[" ".join(key.split())[:80]] = shown(value)

    def leave_all(self, values: Mapping[str, object], known: Iterable[str]) -> None:
        """All that stands under other names than these."""
        names = {*known}
        for key, value in values.items():
            if key not in names:
                self.leave(key, value)


Reader = Callable[[Texts], Said | None]


def number(value: object) -> object:
    """The number that a text holds; anything else as it is."""
    if isinstance(value, str) and NUMBER.fullmatch(value.strip()):
        text = value.strip()
        return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
    return f"a number of {len(str(value))} digits" if isinstance(value, int) and abs(value) >= 10**LONGEST_NUMBER else value


def whole(value: object) -> object:
    """The number, as a whole one where it is one: some programs write 20.0."""
    found = number(value)
    return int(found) if isinstance(found, float) and found.is_integer() else found


def bare_name(name: str) -> str:
    """Without folder and ending."""
    last = name.strip().replace("\\", "/").rpartition("/")[2] or name.strip()
    ending = next((ending for ending in ENDINGS if last.lower().endswith(ending)), "")
    return last[: len(last) - len(ending)][:300]


def shown(value: object) -> str:
    """The value as a short text."""
    if isinstance(value, str):
        text = value
    elif is_number(value) or isinstance(value, bool):
        text = str(value)
    else:
        text = _as_json(value)
    text = " ".join(text[: 2 * LONGEST_REST].encode("utf-8", "replace").decode().split())
    return text if len(text) <= LONGEST_REST else f"{text[:LONGEST_REST]}…"


def _as_json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (ValueError, TypeError, RecursionError):
        return "…"
