"""Facts of a picture that the gallery finds it by, read from its request as JSON values: whatever version has written them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields

from models.json_values import is_number, is_row, is_table
from pipelines.requests.as_made import FREE
from pipelines.requests.fields import INPUT_ID, Several
from pipelines.requests.request import KINDS, describe

# Scripts that put no spaces between words: each of their letters is a word of the index, and several together a phrase.
UNSPACED = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
DIGEST = 16  # bytes
Plain = Mapping[str, object]


def _entry_plain(kind: type, name: str) -> Plain | None:
    """The defaults of the entries of a field that is a list."""
    limit = next(item for item in fields(kind) if item.name == name).metadata["limit"]
    return {item.name: item.default for item in fields(limit.entry)} if isinstance(limit, Several) else None


# Of each kind and field: the value that says nothing, and what says nothing within an entry of a list.
PLAIN: Mapping[str, Plain] = {name: describe(kind()) for name, kind in KINDS.items()}
ENTRIES: Mapping[str, Mapping[str, Plain]] = {
    name: {item.name: plain for item in fields(kind) if (plain := _entry_plain(kind, item.name)) is not None}
    for name, kind in KINDS.items()
}
LEFT_OUT = frozenset({*FREE, *(item.name for kind in KINDS.values() for item in fields(kind) if item.metadata["derived"])})
ORDERED = json.JSONEncoder(sort_keys=True)
NAME = "name"  # of an entry of a list: it is derived from the id


@dataclass(frozen=True, slots=True)
class Facts:
    """`loras`: names, one a line. `settings`: a digest over all that people choose but the seeds and the number of pictures."""

    kind: str = ""  # "" where nothing is known of the picture
    checkpoint: str = ""  # an id
    sampler: str = ""
    loras: str = ""
    control: bool = False
    settings: bytes = b""
    prompt: str = ""
    negative_prompt: str = ""
    inputs: frozenset[str] = frozenset()


def facts_of(request: object) -> Facts:
    """The facts of a request as the book keeps it, which is JSON. Never raises for what a damaged row holds."""
    text = request if isinstance(request, str) else ""
    try:
        values: object = json.loads(text)
    except (ValueError, RecursionError):
        return Facts()
    if not is_table(values) or not isinstance(values.get("kind"), str):
        return Facts()
    return Facts(
        kind=_text(values, "kind"),
        checkpoint=_text(values, "checkpoint"),
        sampler=_text(values, "sampler"),
        loras="\n".join(filter(None, (_text(entry, NAME) for entry in _entries(values, "loras")))),
        control=any(map(_acts, _entries(values, "controls"))),
        settings=digest_of(values),
        prompt=_text(values, "prompt"),
        negative_prompt=_text(values, "negative_prompt"),
        inputs=frozenset(re.findall(f'"({INPUT_ID.pattern})"', text)),
    )


def digest_of(values: Mapping[str, object]) -> bytes:
    """Alike for pictures that differ in their seeds alone. What stands at its default does not count: a later version may have added it."""
    kind = _text(values, "kind")
    plain, entries = PLAIN.get(kind, {}), ENTRIES.get(kind, {})
    chosen = {name: _chosen(value, entries.get(name)) for name, value in values.items() if name not in LEFT_OUT}
    said = {name: value for name, value in chosen.items() if name not in plain or value != plain[name]}
    return hashlib.blake2b(ORDERED.encode(said).encode(), digest_size=DIGEST).digest()


def spaced(text: str) -> str:
    """The text as the index takes it: without NUL, which would end it, and with room around letters that are words by themselves."""
    return UNSPACED.sub(r" \g<0> ", text.replace("\0", " "))


def _chosen(value: object, plain: Plain | None) -> object:
    if plain is None or not is_row(value):
        return value
    return [_without(entry, plain) if is_table(entry) else entry for entry in value]


def _without(entry: Mapping[str, object], plain: Plain) -> dict[str, object]:
    return {name: part for name, part in entry.items() if name != NAME and (name not in plain or part != plain[name])}


def _entries(values: Mapping[str, object], name: str) -> list[dict[str, object]]:
    found = values.get(name)
    return [entry for entry in found if is_table(entry)] if is_row(found) else []


def _acts(unit: Mapping[str, object]) -> bool:
    weight = unit.get("weight", 1)
    return bool(_text(unit, "id")) and is_number(weight) and weight != 0


def _text(values: Mapping[str, object], name: str) -> str:
    """Without halves of letters, which SQLite does not take."""
    found = values.get(name)
    return found.encode("utf-8", "replace").decode() if isinstance(found, str) else ""
