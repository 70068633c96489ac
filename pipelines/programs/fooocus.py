"""Fooocus: JSON under "parameters", or in the user comment of a JPEG or WebP (its scheme "fooocus"; "a1111" is a settings text).

{"prompt": "a house", "steps": 30, "sampler": "dpmpp_2m_sde_gpu", "scheduler": "karras", "resolution": "(1152, 896)",
 "base_model": "meadow", "base_model_hash": "0123456789", "loras": [["ink", 0.5, "0123456789"]], "version": "Fooocus v2.5.5", ...}

Sources: lllyasviel/Fooocus 2.5, modules/meta_parser.py. Its log, and versions before 2.2, write the labels in place of the keys.
"""

from __future__ import annotations

import re

from models.json_values import is_row, listed
from pipelines.programs.said import Said, Texts, number, whole

MARKS = ("fooocus_scheme", "fooocus_version", "base_model_hash", "base_model", "metadata_scheme", "Base Model")
TABLES = ("parameters", "EXIF comment", "Comment", "comment")
KNOWN = (
    "prompt", "negative_prompt", "steps", "guidance_scale", "seed", "sampler", "scheduler", "resolution", "base_model", "base_model_hash",
    "refiner_model", "refiner_model_hash", "refiner_switch", "vae", "loras", "version", "full_prompt", "full_negative_prompt",
    "metadata_scheme",
)  # fmt: skip
LORA = re.compile(r"(?:lora_combined|lora)_\d{1,3}")
SIZE = re.compile(r"\(?\s*'?(\d{1,6})'?\s*[,x×*]\s*'?(\d{1,6})'?\s*\)?")


def read(texts: Texts) -> Said | None:
    found = texts.first(*TABLES)
    if not any(mark in found or mark in texts.plain for mark in MARKS):
        return None
    values = {key.casefold().replace(" ", "_"): value for key, value in found.items()}
    said = Said("Fooocus", str(values.get("version", "")).removeprefix("Fooocus v")[:40])
    _words(said, values)
    _drawing(said, values)
    _models(said, values)
    said.leave_all({key: value for key, value in values.items() if not LORA.fullmatch(key)}, KNOWN)
    return said


def _words(said: Said, values: dict[str, object]) -> None:
    """The prompt as it was typed. Its styles add words of their own, which then stand in "full_prompt"."""
    for name in ("prompt", "negative_prompt"):
        said.put(name, values.get(name))
        full = [part for part in listed(values.get(f"full_{name}")) if isinstance(part, str)]
        if full and full != [values.get(name)]:
            said.leave(f"full_{name}", ", ".join(full))


def _drawing(said: Said, values: dict[str, object]) -> None:
    said.put("steps", whole(values.get("steps")))
    said.put("guidance_scale", number(values.get("guidance_scale")))
    said.put("seed", whole(values.get("seed")))
    said.sampler(values.get("sampler"), values.get("scheduler"))
    if size := SIZE.fullmatch(str(values.get("resolution", ""))[:40]):
        said.put("width", int(size[1]))
        said.put("height", int(size[2]))


def _models(said: Said, values: dict[str, object]) -> None:
    said.model("checkpoint", values.get("base_model"), values.get("base_model_hash"))
    said.model("refiner", values.get("refiner_model"), values.get("refiner_model_hash"))
    if said.models[-1:] and said.models[-1].place == "refiner":
        said.put("refiner_start", number(values.get("refiner_switch")))
    if values.get("vae") != "Default (model)":
        said.model("vae", values.get("vae"))
    rows = [row for row in listed(values.get("loras"))[:64] if is_row(row) and len(row) >= 2]
    for row in rows:
        said.model("lora", row[0], row[2] if len(row) > 2 else "", row[1])
    if not rows:
        _combined(said, values)


def _combined(said: Said, values: dict[str, object]) -> None:
    """ "ink : 0.5", and before it whether it was switched on."""
    for key, value in list(values.items())[:400]:
        parts = value.split(" : ") if LORA.fullmatch(key) and isinstance(value, str) else []
        if len(parts) >= 2 and parts[0] != "False":
            said.model("lora", parts[-2], "", parts[-1])
