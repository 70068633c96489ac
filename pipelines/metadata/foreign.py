"""Whose settings a picture carries, when they are not a text that Atelier reads: each program by the marks that it leaves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from models.json_values import is_table, table
from pipelines.metadata.picture_texts import COMMENT, DESCRIPTION, MAKE, MODEL, PARAMETERS, SOFTWARE, TOOL, USER_COMMENT, XMP

Texts = Mapping[str, str]
IN_JSON = (PARAMETERS, USER_COMMENT, DESCRIPTION, COMMENT, XMP, "Comment", "prompt", "workflow", "metadata")


def foreign_program(texts: Texts) -> str:
    """Its name, "" when no mark of a known one is there."""
    objects = [found for name in IN_JSON if is_table(found := as_json(texts.get(name, "")))]
    keys = {key for found in objects for key in found}
    return next((name for name, marks in PROGRAMS if marks(texts, keys)), "")


def as_json(text: str) -> object:
    """The JSON object that the text is; None when it is none."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _comfy(texts: Texts, _: set[str]) -> bool:
    """A graph as "prompt" or "workflow", which may be too long to be read; in WebP and AVIF in the names of camera and maker."""
    graph = as_json(texts.get("prompt", ""))
    nodes = any("class_type" in table(node) for node in table(graph).values())
    in_exif = any(texts.get(name, "").lower().startswith(("prompt:", "workflow:")) for name in (MAKE, MODEL, DESCRIPTION, USER_COMMENT))
    return nodes or in_exif or "workflow" in texts or texts.get("prompt") == ""


def _names(*marks: str) -> Callable[[Texts, set[str]], bool]:
    """Texts of these names, or JSON with these keys."""
    return lambda texts, keys: any(mark in texts or mark in keys for mark in marks)


def _says(word: str, *places: str) -> Callable[[Texts, set[str]], bool]:
    return lambda texts, _: any(word in texts.get(place, "") for place in places)


def _any(*ways: Callable[[Texts, set[str]], bool]) -> Callable[[Texts, set[str]], bool]:
    return lambda texts, keys: any(way(texts, keys) for way in ways)


PROGRAMS: tuple[tuple[str, Callable[[Texts, set[str]], bool]], ...] = (
    ("SwarmUI", _names("sui_image_params")),
    ("InvokeAI", _names("invokeai_metadata", "invokeai_graph", "invokeai_workflow", "sd-metadata", "Dream")),
    ("NovelAI", _any(_says("NovelAI", "Software", "Source", "Title", SOFTWARE), _names("signed_hash"))),
    ("Fooocus", _names("fooocus_scheme", "fooocus_version", "base_model_hash", "base_model", "metadata_scheme")),
    ("Easy Diffusion", _names("use_stable_diffusion_model", "Stable Diffusion model", "stable_diffusion_model")),
    ("Draw Things", _any(_says("Draw Things", "Software", SOFTWARE, TOOL), lambda _, keys: {"c", "uc", "sampler"} <= keys)),
    ("ComfyUI", _comfy),
)
