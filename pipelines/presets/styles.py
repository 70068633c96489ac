"""Styles of other studios, and our own export, read as presets. Data alone: nothing in them is run, and nothing they name is fetched.

    styles.csv     A1111 and Forge: name,prompt,negative_prompt; before 2022-10 name,text
    [{...}, ...]   Fooocus and the Prompt Styler of ComfyUI: name, prompt, negative_prompt
    {...}, [...]   SD.Next: name, prompt, negative, description, extra (settings as text), wildcards, preview (a data URL)
    {"presets"}    our own export

A styles.csv has been through many hands: with one mark of its encoding or several in a row, which old A1111s wrote, or in UTF-16; with
semicolons or tabs, as spreadsheets save it; with rows that are headings ("--- portraits ---") and rows that have lost their last columns.
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from models.errors import UserError
from models.json_values import is_list, is_table, listed, table, text
from pipelines.metadata import infotext
from pipelines.metadata.text_request import request_of as request_of_text
from pipelines.presets.preset import HOLE, LONGEST_NAME, LONGEST_WORDS, WORDS, Preset, checked, read_preset, values_of

LARGEST = 32_000_000  # bytes of a file
MOST = 2_000  # presets of a file
MOST_NOTES = 20
LONGEST_PICTURE = 3_000_000  # letters of a data URL
OURS = "presets"  # the key of our own export
UNKNOWN = (
    "This file holds no styles that Atelier knows: neither a styles.csv of A1111, nor styles of Fooocus or SD.Next, nor presets of its own."
)
BROKEN = "This file looks like JSON and cannot be read: it is damaged, or nested too deep. Save or download it again."
TOO_LARGE = "This file is larger than 32 MB. Divide it."
FOOOCUS_PRESET = "This is a preset of Fooocus and no list of its styles. Those lie in its folder sdxl_styles."


@dataclass(frozen=True)
class Style:
    """A preset of a file. `picture`: the bytes of the one that came with it, or b""."""

    preset: Preset
    picture: bytes = b""


@dataclass(frozen=True)
class Styles:
    """What a file holds, and a sentence for each thing in it that was not taken."""

    styles: tuple[Style, ...]
    notes: tuple[str, ...] = ()


class _Odd(Exception):
    """An entry that is left out; why."""


def read_styles(data: bytes) -> Styles:
    """Raises `UserError` for a file that holds none."""
    if len(data) > LARGEST:
        raise UserError(TOO_LARGE)
    words = _decoded(data).replace("\0", "").strip("\ufeff \t\r\n")
    if not words:
        raise UserError("This file is empty.")
    rows = _of_json(words) if words[0] in "[{" else _of_table(words)
    return _taken(rows)


def _decoded(data: bytes) -> str:
    for coding in ("utf-16",) if data[:2] in (b"\xff\xfe", b"\xfe\xff") else ("utf-8", "cp1252"):
        try:
            return data.decode(coding)
        except UnicodeError:
            continue
    raise UserError(UNKNOWN)


def _taken(rows: Iterable[object]) -> Styles:
    styles: list[Style] = []
    notes: list[str] = []
    for row in rows:
        if len(styles) == MOST:
            notes.append(f"The first {MOST:,} of this file were read.")
            break
        try:
            if style := _style(row):
                styles.append(style)
        except (_Odd, UserError) as error:
            notes.append(f"“{_name(row)[:60] or 'One without a name'}” was left out: {error}")
    if not styles:
        raise UserError(notes[0] if len(notes) == 1 else UNKNOWN)
    more = [f"{len(notes) - MOST_NOTES:,} more were left out."] if len(notes) > MOST_NOTES else []
    return Styles(tuple(styles), (*notes[:MOST_NOTES], *more))


def _name(row: object) -> str:
    return " ".join(text(table(row), "name").split())


def _style(row: object) -> Style | None:
    """None for a heading among them."""
    if not is_table(row):
        raise _Odd("it is no style.")
    if not _name(row):
        raise _Odd("it has no name.")
    if row.get("format") is not None:
        own = read_preset(row)
        return Style(replace(own, name=_name(row)[:LONGEST_NAME]), _picture(text(row, "picture")))
    return _other(row)


def _other(row: Mapping[str, object]) -> Style | None:
    negative = text(row, "negative_prompt") or text(row, "negative")
    prompt, negative = (_with_choices(each, text(row, "wildcards")) for each in (text(row, "prompt") or text(row, "text"), negative))
    kind, values, made_with = _settings(text(row, "extra"))
    if not (prompt or negative or values):
        if _name(row).startswith("--") or _name(row).casefold() == "none":
            return None
        raise _Odd("there is nothing in it.")
    if max(len(prompt), len(negative)) > LONGEST_WORDS:
        raise _Odd(f"its words are longer than {LONGEST_WORDS:,} letters; a quotation mark may be missing.")
    about = "" if text(row, "description") == text(row, "name") else text(row, "description")[:LONGEST_WORDS]
    preset = Preset(_name(row)[:LONGEST_NAME], _whole(prompt), _whole(negative), kind, values, made_with, about)
    return Style(checked(preset), _picture(text(row, "preview")))


def _whole(words: str) -> str:
    """A style that is nothing but the prompt itself adds nothing."""
    return "" if words.strip() == HOLE else words.strip()


def _settings(extra: str) -> tuple[str, dict[str, object], dict[str, str]]:
    """The settings that SD.Next keeps with a style, as text: the fields that they name, and their models."""
    if not extra.strip():
        return "txt2img", {}, {}
    # A line of settings begins with the steps and has three pairs at least, and theirs may have one. What is theirs is what does not depend
    # on ours.
    found, other = (infotext.parse(f"Steps: {steps}, Version: x, Version: x, {extra}") for steps in (20, 21))
    told = [name for name, value in found.values.items() if other.values.get(name) == value and name not in WORDS]
    request = request_of_text(found).request
    models = {key: name[:300] for key, name in found.leftovers.items() if key in ("Model", "Model hash", "VAE", "VAE hash")}
    named = {name: "" for name, key in (("checkpoint", "Model"), ("vae", "VAE")) if key in models}  # found by their names
    return request.kind, values_of(request, told) | named, models


def _with_choices(words: str, wildcards: str) -> str:
    """SD.Next: "COLOUR=red, blue; SIZE=large" names words of the style that are drawn; here they are choices in its text."""
    for each in wildcards.replace("\n", " ").split(";"):
        what, mark, options = each.strip().partition("=")
        kept = [option.strip() for option in options.split(",") if option.strip()]
        if mark and what.strip() and kept:
            words = words.replace(what.strip(), f"{{{'|'.join(kept)}}}")
    return words


def _picture(address: str) -> bytes:
    """What a data URL holds; nothing of any other address, which nobody follows."""
    head, mark, body = address[:LONGEST_PICTURE].partition(";base64,")
    if not mark or not head.startswith("data:image/"):
        return b""
    try:
        return base64.b64decode(body, validate=True)
    except (ValueError, binascii.Error):
        return b""


# ---- the files -------------------------------------------------------------------------------------------------------------------


def _of_json(words: str) -> list[object]:
    try:
        found: object = json.loads(words)
    except (ValueError, RecursionError) as error:
        raise UserError(BROKEN) from error
    if is_table(found) and OURS in found:
        return listed(found[OURS])
    if is_table(found) and "default_model" in found:
        raise UserError(FOOOCUS_PRESET)
    if is_table(found) and found and all(is_table(each) for each in found.values()):  # name -> style, as some tools save them
        return [{"name": name, **table(each)} for name, each in found.items()]
    if is_list(found):
        return found
    if is_table(found) and "name" in found:
        return [found]
    raise UserError(UNKNOWN)


def _of_table(words: str) -> Iterator[object]:
    head = words.partition("\n")[0]
    mark = max(",;\t", key=head.count)
    try:
        reader = csv.DictReader(io.StringIO(words), delimiter=mark, skipinitialspace=True)
        names = [(name or "").strip().casefold() for name in reader.fieldnames or ()]
        if "name" not in names or not {"prompt", "text", "negative_prompt"} & set(names):
            raise UserError(UNKNOWN)
        reader.fieldnames = names
        for row in reader:
            if any(isinstance(value, str) and value for value in row.values()):
                yield {name: value for name, value in row.items() if isinstance(value, str)}
    except csv.Error as error:
        raise UserError(f"This table cannot be read: {error}. A quotation mark may be missing in it.") from error
