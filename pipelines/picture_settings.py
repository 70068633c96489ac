"""What a picture file says of how it was made: our own JSON, or else the settings text that other studios write."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from models.errors import UserError
from pipelines import infotext
from pipelines.picture_texts import texts_in
from pipelines.request import Request, TextToImage, restore

FORMAT_VERSION = 1  # of the JSON
LONGEST_FACT = 40_000  # characters: the list of as many embeddings as a request may have, under the longest names


@dataclass(frozen=True)
class Reading:
    """What a picture says of itself. `notes` are sentences about what was not taken."""

    request: Request
    made_with: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read(source: Path | bytes) -> Request:
    """The request that makes the picture again. Raises `UserError` when the file is no picture or says nothing of itself."""
    return inspect(source).request


def inspect(source: Path | bytes) -> Reading:
    """Like `read`, with the names of what the picture was made with and notes. Decodes no pixels unless it has to."""
    texts = texts_in(source)
    notes: tuple[str, ...] = ()
    if "atelier" in texts:
        try:
            return _from_json(texts["atelier"])
        except UserError as error:
            if "parameters" not in texts:
                raise
            notes = (str(error),)
    if "parameters" not in texts:
        raise UserError("This picture carries no settings. Pictures lose them when a chat or an image editor saves them again.")
    return _from_infotext(texts["parameters"], notes)


def _from_json(text: str) -> Reading:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UserError("The settings in this picture are damaged.") from error
    if not isinstance(found, dict) or not isinstance(found.get("request"), dict):
        raise UserError("The settings in this picture are damaged.")
    if found.get("version") != FORMAT_VERSION:
        raise UserError("This picture was made by a newer Atelier. Update Atelier to read its settings.")
    return Reading(restore(found["request"]), _short_texts(found.get("made_with")))


def _from_infotext(text: str, notes: tuple[str, ...]) -> Reading:
    settings = infotext.parse(text)
    if set(settings.values) <= {"prompt"}:
        raise UserError("The text in this picture holds no settings that Atelier can read.")
    return Reading(TextToImage.admit(settings.values), _short_texts(settings.leftovers), (*notes, *settings.notes))


def _short_texts(found: Any) -> dict[str, str]:
    pairs = list(found.items())[:100] if isinstance(found, dict) else []
    return {str(key)[:100]: value[:LONGEST_FACT] for key, value in pairs if isinstance(value, str)}
