"""The settings of a picture file, how it was made: our own JSON, or else the settings text that other studios write."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from models.errors import UserError
from models.json_values import is_table, table
from pipelines.metadata import infotext
from pipelines.metadata.foreign import as_json, foreign_program
from pipelines.metadata.picture_texts import ATELIER, COMMENT, DESCRIPTION, PARAMETERS, USER_COMMENT, WINDOWS_COMMENT, XMP, texts_in
from pipelines.metadata.text_request import request_of
from pipelines.requests.request import OWN_VAE, Drawing, Request, restore

# Of the JSON. 2 has what the studio decided when it drew (`pipelines.requests.as_made`); version 1 is read too. A new field of a
# request raises it: an older Atelier refuses fields that it does not know, and so says why, and reads the text that stands beside.
FORMAT_VERSION = 2
LONGEST_FACT = 40_000  # characters: the list of as many embeddings as a request may have, under the longest names
# Where programs put the settings text, the usual place first; the last ones are texts of PNGs that were converted.
IN_TEXTS = (
    PARAMETERS, USER_COMMENT, WINDOWS_COMMENT, DESCRIPTION, COMMENT, XMP,
    "UserComment", "exif:UserComment", "Comment", "comment", "Description",
)  # fmt: skip


@dataclass(frozen=True)
class Reading:
    """The settings that a picture carries. `notes` are sentences about what was not taken."""

    request: Request
    made_with: dict[str, str] = field(default_factory=dict[str, str])
    notes: tuple[str, ...] = ()
    ids: bool = True  # the request names files by ids; else by the names in `made_with`
    pictures: dict[tuple[int, str], str] = field(default_factory=dict[tuple[int, str], str])  # see `text_request.FromText`


def read(source: Path | bytes) -> Request:
    """The request that makes the picture again. Raises `UserError` when the file is no picture or says nothing of itself."""
    return inspect(source).request


def inspect(source: Path | bytes) -> Reading:
    """Like `read`, with the names of what the picture was made with and notes. Decodes no pixels unless it has to."""
    texts = texts_in(source)
    notes: tuple[str, ...] = ()
    try:
        if ATELIER in texts:
            return _from_json(texts[ATELIER])
    except UserError as error:
        if not any(name in texts for name in IN_TEXTS):
            raise
        notes = (str(error),)
    return _from_text(texts, notes)


def _from_text(texts: Mapping[str, str], notes: tuple[str, ...]) -> Reading:
    """From the first text that holds settings as A1111 writes them. Raises `UserError` that names the program where it is another's."""
    for name in IN_TEXTS:
        if texts.get(name) and as_json(texts[name]) is None and (reading := _from_infotext(texts[name], notes)):
            return reading
    if program := foreign_program(texts):
        told = f"This picture was made with {program}, whose settings Atelier does not read yet"
        raise UserError(f"{told}. Open it in {program} to see them, and type what you need here.")
    if any(texts.get(name) for name in IN_TEXTS):
        raise UserError("The text in this picture holds no settings that Atelier can read.")
    raise UserError("This picture carries no settings. Pictures lose them when a chat or an image editor saves them again.")


def _from_json(text: str) -> Reading:
    try:
        found = table(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise UserError("The settings in this picture are damaged.") from error
    if not is_table(request := found.get("request")):
        raise UserError("The settings in this picture are damaged.")
    if found.get("version") not in range(1, FORMAT_VERSION + 1):
        raise UserError("This picture was made by a newer Atelier. Update Atelier to read its settings.")
    return Reading(restore(request), _short_texts(found.get("made_with")))


def _from_infotext(text: str, notes: tuple[str, ...]) -> Reading | None:
    """None where it is a prompt at most."""
    settings = infotext.parse(text)
    if set(settings.values) <= {"prompt"}:
        return None
    found = request_of(settings)
    made_with = _short_texts(settings.leftovers)
    is_ours = "Version: Atelier" in text and "VAE" not in made_with  # it would name a VAE that is not the checkpoint's own
    request = found.request
    if isinstance(request, Drawing):
        request = replace(request, vae=OWN_VAE if is_ours else "")
    return Reading(request, made_with, (*notes, *found.notes), ids=False, pictures=found.pictures)


def _short_texts(found: object) -> dict[str, str]:
    pairs = list(table(found).items())[:100]
    return {key[:100]: value[:LONGEST_FACT] for key, value in pairs if isinstance(value, str)}
