"""The settings of a picture file, how it was made: our own JSON, the settings text that many studios write, or another program's own."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path

from models.errors import UserError
from models.json_values import is_table, table
from pipelines.metadata import foreign, infotext
from pipelines.metadata.hires_text import UPSCALER
from pipelines.metadata.picture_texts import ATELIER, COMMENT, DESCRIPTION, PARAMETERS, USER_COMMENT, WINDOWS_COMMENT, XMP, look
from pipelines.metadata.provenance import ENLARGER, UPSCALERS
from pipelines.metadata.stealth import STEALTH
from pipelines.metadata.text_request import request_of
from pipelines.metadata.whose import whose
from pipelines.programs.json_text import as_json
from pipelines.programs.readers import read as read_program
from pipelines.programs.said import DIGEST, Said
from pipelines.requests.drawn_small import enlarger_of
from pipelines.requests.enlarge import FILTER_NAMES
from pipelines.requests.request import OWN_VAE, WEIGHTS_ALONE, Drawing, Enlarge, Request, SecondPass, TextToImage, restore

NO_UPSCALER = frozenset({"", "none", *(name.casefold() for name in FILTER_NAMES)})  # where other studios name an upscaler
# Of the JSON. 2 has what the studio decided when it drew (`pipelines.requests.as_made`), 3 second passes, upscalers and what words were
# drawn of, 4 the language of the prompts and a second prompt, 5 what the words of further prompts were drawn of, 6 branches, 7 guidance;
# older ones are read too. A new field of a request raises it: an older Atelier refuses fields that it does not know, and so says why, and
# reads the text beside.
FORMAT_VERSION = 7
LONGEST_FACT = 40_000  # characters: the list of as many embeddings as a request may have, under the longest names
# Where programs put the settings text, the usual place first; the last ones are texts of PNGs that were converted.
IN_TEXTS = (
    PARAMETERS, USER_COMMENT, WINDOWS_COMMENT, DESCRIPTION, COMMENT, XMP, STEALTH,
    "UserComment", "exif:UserComment", "Comment", "comment", "Description",
)  # fmt: skip
PASTED = "pasted"  # the name of a text that stands in no picture
# Under what names programs keep the JSON that somebody may paste.
LIKELY = ("parameters", "prompt", "workflow", "Comment", "sd-metadata")
NOTHING = "This text holds no settings that Atelier can read."


@dataclass(frozen=True)
class Reading:
    """The settings that a picture or a text carries. `notes` are sentences about what was not taken as it stood there."""

    request: Request
    made_with: dict[str, str] = field(default_factory=dict[str, str])
    notes: tuple[str, ...] = ()
    ids: bool = True  # the request names files by ids; else by the names in `made_with`
    pictures: dict[tuple[int, str], str] = field(default_factory=dict[tuple[int, str], str])  # see `text_request.FromText`
    program: str = ""  # that wrote them, "" where nothing says
    version: str = ""
    told: tuple[str, ...] = ()  # fields that something is said of
    guessed: dict[str, str] = field(default_factory=dict[str, str])  # those of them that are only likely -> why
    unknown: dict[str, str] = field(default_factory=dict[str, str])  # what no field stands for
    words_alone: bool = False  # a prompt without settings: nothing else of the request counts
    details: dict[str, object] = field(default_factory=dict[str, object])  # see `text_request.FromText`


def read(source: Path | bytes) -> Request:
    """The request that makes the picture again. Raises `UserError` when the file is no picture or says nothing of itself."""
    return inspect(source).request


def inspect(source: Path | bytes) -> Reading:
    """Like `read`, with the names of what the picture was made with and notes. Decodes no pixels unless it has to."""
    looked = look(source)
    return of_texts(looked.texts, looked.size)


def of_texts(texts: Mapping[str, str], size: tuple[int, int] | None = None) -> Reading:
    """What the texts of a picture of this size say. Raises `UserError` when they say nothing."""
    notes: tuple[str, ...] = ()
    try:
        if ATELIER in texts:
            return _from_json(texts[ATELIER])
    except UserError as error:
        if not any(name in texts for name in IN_TEXTS):
            raise
        notes = (str(error),)
    return _from_others(texts, notes, size)


def of_pasted(text: str) -> Reading:
    """What a text says that somebody pastes: settings as a picture has them, or a prompt. Raises `UserError` when it says nothing."""
    text = text.strip("\ufeff\0 \t\r\n")
    if not text:
        raise UserError("There is no text. Paste a prompt, or the settings of a picture.")
    if len(text) > infotext.LONGEST:
        raise UserError(f"This text is longer than {infotext.LONGEST:,} characters. Paste the settings alone.")
    found = as_json(text)
    if is_table(found):
        return _of_pasted_json(found, text)
    if text.startswith("{") and text.endswith("}") and '":' in text:
        raise UserError("This looks like JSON and cannot be read: it is damaged, or nested too deep.")
    dream = {"Dream": text} if text.startswith('"') else dict[str, str]()
    said = read_program(dream) if dream else None
    return (_from_program(said, (), None) if said and said.values else None) or _from_infotext(text, ()) or _prompt(text)


def _of_pasted_json(found: dict[str, object], text: str) -> Reading:
    if is_table(found.get("request")):
        return _from_json(text)
    if isinstance(found.get("kind"), str):
        return _ours(restore(found))
    for name in (PASTED, *LIKELY):
        said = read_program({name: text})
        if said and said.values:
            return _from_program(said, (), None)
    raise UserError(NOTHING)


def _prompt(text: str) -> Reading:
    request = infotext.parse(text)
    return Reading(request_of(request).request, notes=request.notes, ids=False, told=tuple(request.values), words_alone=True)


def _from_others(texts: Mapping[str, str], notes: tuple[str, ...], size: tuple[int, int] | None) -> Reading:
    """From the first text that holds settings as A1111 writes them, else from what its program says in its own way."""
    for name in IN_TEXTS:
        if texts.get(name) and as_json(texts[name]) is None and (reading := _from_infotext(texts[name], notes)):
            return reading
    if said := read_program(texts):
        if said.values:
            return _from_program(said, notes, size)
        raise UserError(" ".join((f"This picture was made with {said.program}, and nothing in it can be read as settings.", *said.notes)))
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
    return _ours(restore(request), _short_texts(found.get("made_with")))


def _ours(request: Request, made_with: dict[str, str] | None = None) -> Reading:
    facts = made_with or {}
    told = tuple(item.name for item in fields(request) if not item.metadata["derived"])
    return Reading(request, facts, program="Atelier", version=facts.get("Atelier", "")[:40], told=told)


def _from_infotext(text: str, notes: tuple[str, ...]) -> Reading | None:
    """None where it is a prompt at most."""
    settings = infotext.parse(text)
    if set(settings.values) <= {"prompt"}:
        return None
    found = request_of(settings)
    made_with = {key: fact for key, fact in _short_texts(settings.leftovers).items() if not _is_no_hash(key, fact)}
    is_ours = "Version: Atelier" in text and "VAE" not in made_with  # it would name a VAE that is not the checkpoint's own
    request = found.request
    if isinstance(request, Enlarge):
        named = {UPSCALERS[0]: settings.pictures.get("filter", ""), UPSCALERS[1]: made_with.pop(UPSCALERS[1], "")}
        made_with |= {key: name[:LONGEST_FACT] for key, name in named.items() if name.casefold() not in NO_UPSCALER}
    if isinstance(request, TextToImage | SecondPass) and request.upscaler:
        made_with[UPSCALER] = request.upscaler  # a text has its name
    if enlarger := enlarger_of(request):
        made_with[ENLARGER] = enlarger
    if isinstance(request, Drawing):
        request = replace(request, vae=OWN_VAE if is_ours else "")
        if is_ours and "language" not in settings.values and infotext.reads_otherwise(request):
            request = replace(request, language=WEIGHTS_ALONE)  # it was written before there was more than weights
    program, version = whose(settings.leftovers, settings.version)
    told = _told(request, {*settings.values, *settings.pictures})
    return Reading(
        request, made_with, (*notes, *found.notes), False, found.pictures, program, version, told, settings.guessed, found.unknown,
        details=found.details,
    )  # fmt: skip


def _told(request: Request, names: set[str]) -> tuple[str, ...]:
    """Of these and the lists that are not empty, the fields of the request, in its order."""
    own = [item.name for item in fields(request)]
    return tuple(name for name in own if name in names or (name in ("loras", "hypernetworks", "controls") and getattr(request, name)))


def _from_program(said: Said, notes: tuple[str, ...], size: tuple[int, int] | None) -> Reading:
    found = foreign.request_of(said, size)
    told = _told(found.request, {*found.told})
    return Reading(
        found.request, found.made_with, (*notes, *found.notes), False, {}, said.program, said.version, told, found.guessed, said.rest
    )  # fmt: skip


def _is_no_hash(key: str, fact: str) -> bool:
    """Some programs write that they do not know it."""
    return key in ("Model hash", "VAE hash") and not re.fullmatch(DIGEST, fact)


def _short_texts(found: object) -> dict[str, str]:
    pairs = list(table(found).items())[:100]
    return {key[:100]: value[:LONGEST_FACT] for key, value in pairs if isinstance(value, str)}
