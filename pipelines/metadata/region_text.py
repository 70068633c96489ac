"""Regions in a picture's settings text: ours, both ways, and those of A1111's extension Regional Prompter.

Region 1: "Words: a red house, Weight: 1, Left: 0, Top: 0, Right: 0.5, Bottom: 1"
RP Active: True, RP Divide mode: Matrix, RP Matrix submode: Columns, RP Ratios: "1,1", RP Base Ratios: 0.2, RP Use Base: False

Keys of the extension: https://github.com/hako-mikan/sd-webui-regional-prompter, scripts/rp.py.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any

from models.errors import UserError
from pipelines.metadata.lists import listed, unlisted
from pipelines.metadata.unit_text import SHOWN_HASH
from pipelines.prompts.regional import regional
from pipelines.prompts.tags import write_tags
from pipelines.requests.fields import Range, admit_field
from pipelines.requests.region import MOST_REGIONS, Region
from pipelines.requests.request import Drawing, Drawn

KEY = re.compile(r"Region (\d{1,2})", re.IGNORECASE)
THEIRS = re.compile(r"RP [\w ]{1,40}", re.IGNORECASE)
PAINTED = "mask"  # of what is painted the text has the beginning of its id
FIELDS = {item.metadata["title"]: item for item in fields(Region) if item.name != "template"}
FIELD_TITLE = next(title for title, item in FIELDS.items() if item.name == PAINTED)
NUMBER = re.compile(r"\d{1,3}(\.\d{0,6})?", re.ASCII)
OTHER_WAY = "Its regions were masks or words of the prompt, which are not in the text. Paint them again."
IN_LATENTS = "Its regions were drawn apart from each other (Latent), and here they attend to words of their own: it comes out otherwise."


def region_pairs(request: Drawing) -> dict[str, str]:
    """Keys and values for the text."""
    tagged = [replace(each, prompt=each.prompt + write_tags(request.loras, region=place)) for place, each in enumerate(request.regions, 1)]
    return {f"Region {place}": _written(each) for place, each in enumerate(tagged, 1)}


def read_regions(pairs: Mapping[str, str]) -> tuple[tuple[Region, ...], dict[int, str], list[str]]:
    """Of a text that we wrote: regions, the beginnings of the ids of what is painted by place, from 0, and a sentence for each that could
    not be read.
    """
    found = sorted((int(match[1]), text) for key, text in pairs.items() if (match := KEY.fullmatch(key)))
    read = [_read(text) for _, text in found[:MOST_REGIONS]]
    painted = {place: one[1] for place, one in enumerate(read) if one[1]}
    return tuple(one[0] for one in read), painted, [f"Not taken of a region: {why}" for one in read for why in one[2]]


def with_theirs(request: Drawn, pairs: Mapping[str, str]) -> tuple[Drawn, list[str]]:
    """With what the extension made of its prompt, and sentences on what is otherwise here."""
    told = {key[3:].casefold(): text for key, text in pairs.items() if THEIRS.fullmatch(key)}
    if told.get("active", "").casefold() != "true":
        return request, []
    if told.get("divide mode", "Matrix").casefold() not in ("matrix", "horizontal", "vertical"):
        return request, [OTHER_WAY]
    flags = {name: told.get(f"use {name}", "").casefold() == "true" for name in ("base", "common")}
    way = told.get("matrix submode", told.get("divide mode", "")).casefold()
    try:
        found = regional(request.prompt, told.get("ratios", "1"), way not in ("rows", "vertical"), **flags)
    except UserError as error:
        return request, [str(error)]
    if found is None:
        return request, []
    first = told.get("base ratios", "").split(",")[0].split(";")[0].strip()
    share = min(1.0, float(first)) if NUMBER.fullmatch(first) else Drawing.base_share
    notes = [IN_LATENTS] if told.get("calc mode", "").casefold() == "latent" else []
    return replace(request, prompt=found.prompt, regions=found.regions, base_share=share if found.has_base else 0.0), notes


def is_of_regions(key: str) -> bool:
    """Whether it is read here."""
    return bool(KEY.fullmatch(key) or THEIRS.fullmatch(key))


def _written(region: Region) -> str:
    values = {title: getattr(region, item.name) for title, item in FIELDS.items()} | {FIELD_TITLE: region.mask[:SHOWN_HASH]}
    laid = ("mask",) if not region.mask else ("left", "top", "right", "bottom")
    return listed([(title, _text(value)) for title, value in values.items() if FIELDS[title].name not in laid])


def _text(value: object) -> str:
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def _read(text: str) -> tuple[Region, str, list[str]]:
    values: dict[str, Any] = {}  # Any: of each field its own type
    painted, notes = "", list[str]()
    for title, value in unlisted(text):
        item = FIELDS.get(title)
        if item is None:
            continue
        if item.name == PAINTED:
            painted = value
            continue
        try:
            number = isinstance(item.metadata["limit"], Range) and NUMBER.fullmatch(value)
            values[item.name] = admit_field(item, float(value) if number else value)
        except UserError as error:
            notes.append(str(error))
    return Region(**values), painted, notes
