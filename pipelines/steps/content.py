"""The content of a picture's steps: one name for whatever made them, by which they are found again.

Model files count by their hashes, and not by where they lie. What acts on the finished pixels alone, or is only told, does not count.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import fields

from models.json_values import is_row, is_table, is_text_table
from pipelines.metadata.provenance import OURS_ALONE
from pipelines.requests.branch import Branch
from pipelines.requests.guidance import Guided, Joining
from pipelines.requests.request import Drawing, describe
from pipelines.requests.sampling import NEUTRAL
from pipelines.requests.wording import TEMPLATES

DIGITS = 32
# Of models: where they lie, and what they are called.
FILES = frozenset({"checkpoint", "refiner", "vae", "id", "name", "hires_checkpoint"})
# What has no part in any step.
BESIDE = frozenset({"as_made", "as_drawn", "enlarged_by", "enlarged_tile", "template", *TEMPLATES.values(), "decodes"})
# Fields that came after the first steps were kept: at their defaults they have no part in the name, so those steps are found still.
WITHOUT_REGIONS: dict[str, object] = {"regions": [], "base_share": Drawing.base_share, "region_ratios": Drawing.region_ratios, "region": 0}
LATER: dict[str, object] = {item.name: item.default for kind in (Guided, Joining) for item in fields(kind)} | NEUTRAL | WITHOUT_REGIONS
MODEL_HASH = "Model hash"


def content_of(request: Drawing, made_with: Mapping[str, str]) -> str:
    """Hexadecimal digits of what makes the steps of one picture; "" where it is not known which file its model was.

    `request`: of a finished picture, alone. `made_with`: names and hashes, as its record has them.
    """
    if not made_with.get(MODEL_HASH):
        return ""
    hashes = {key: text for key, text in made_with.items() if key not in OURS_ALONE and "hash" in key.casefold()}
    written = json.dumps([_acting(describe(request)), hashes], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(written.encode("utf-8", "replace")).hexdigest()[:DIGITS]


def models_of(use: Branch) -> Mapping[str, str]:
    """Names and hashes of what its trunk was drawn with."""
    try:
        found: object = json.loads(use.made_with or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if is_text_table(found) else {}


def told_of(made_with: Mapping[str, str]) -> dict[str, str]:
    """What a branch keeps of it, so that the models of what it branches from are found elsewhere: names and hashes."""
    return {key: text for key, text in made_with.items() if key not in OURS_ALONE}


def _acting(value: object) -> object:
    if is_table(value):
        left_out = FILES | BESIDE | {name for name, usual in LATER.items() if value.get(name) == usual}
        return {name: _acting(part) for name, part in value.items() if name not in left_out and not name.startswith("hires_")}
    return [_acting(part) for part in value] if is_row(value) else value
