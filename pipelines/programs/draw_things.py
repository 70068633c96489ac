"""Draw Things: JSON in the user comment of the XMP packet.

{"c": "a house", "uc": "fog", "seed": 5, "steps": 20, "scale": 7.5, "sampler": "DPM++ 2M Karras", "size": "512x512", "strength": 1,
 "model": "sd_v1.5_f16.ckpt", "lora": [{"model": "ink_lora_f16.ckpt", "weight": 0.5}], "v2": {"clipSkip": 1, ...}}
"""

from __future__ import annotations

import re

from models.json_values import listed, table
from pipelines.programs.said import Said, Texts, number, whole

KNOWN = ("c", "uc", "seed", "steps", "scale", "sampler", "size", "strength", "model", "lora", "v2", "seed_mode", "mask_blur")


def read(texts: Texts) -> Said | None:
    values = texts.first("XMP", "EXIF comment", "pasted")
    named = any("Draw Things" in texts.plain.get(name, "") for name in ("Software", "EXIF software", "XMP tool"))
    if not {"c", "uc", "sampler"} <= values.keys():
        return Said("Draw Things") if named else None
    said = Said("Draw Things")
    said.put("prompt", values.get("c"))
    said.put("negative_prompt", values.get("uc"))
    for name in ("seed", "steps"):
        said.put(name, whole(values.get(name)))
    said.put("guidance_scale", number(values.get("scale")))
    said.sampler(values.get("sampler"))
    _size(said, values.get("size"))
    _second_version(said, table(values.get("v2")))
    _models(said, values)
    said.leave_all(values, KNOWN)
    return said


def _size(said: Said, value: object) -> None:
    if size := re.fullmatch(r"(\d{1,6})[x×](\d{1,6})", str(value)[:20]):
        said.put("width", int(size[1]))
        said.put("height", int(size[2]))


def _second_version(said: Said, values: dict[str, object]) -> None:
    said.put("clip_skip", whole(values.get("clipSkip")))
    strength = number(values.get("strength"))
    if isinstance(strength, int | float) and 0 < strength < 1:
        said.begins_with_picture = True
        said.put("denoising_strength", strength)


def _models(said: Said, values: dict[str, object]) -> None:
    said.model("checkpoint", values.get("model"))
    for row in map(table, listed(values.get("lora"))[:64]):
        said.model("lora", row.get("model"), "", row.get("weight", 1.0))
