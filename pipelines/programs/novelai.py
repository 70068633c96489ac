"""NovelAI: JSON under "Comment", words under "Description", the model under "Source"; in WebP all of these as JSON in the user comment.

{"prompt": "a house", "steps": 28, "scale": 5.0, "sampler": "k_euler_ancestral", "noise_schedule": "karras", "seed": 5, "uc": "fog",
 "v4_prompt": {"caption": {"base_caption": "a house", "char_captions": [{"char_caption": "a girl"}]}}, ...}

Its braces are weights: each pair of {} is 1.05, each pair of [] is 1 / 1.05.
"""

from __future__ import annotations

import re

from models.json_values import listed, table, text
from pipelines.programs.json_text import as_table
from pipelines.programs.said import Said, Texts, number, whole

STEP = 1.05
INNERMOST = re.compile(r"\{([^{}\[\]()]{1,2000})\}|\[([^{}\[\]()]{1,2000})\]")
WEIGHED = re.compile(r"(-?\d{1,3}(?:\.\d{1,4})?)::(.{1,2000}?)::", re.DOTALL)
MOST_BRACES = 400
KNOWN = (
    "prompt", "steps", "height", "width", "scale", "seed", "sampler", "noise_schedule", "uc", "cfg_rescale", "strength", "v4_prompt",
    "v4_negative_prompt", "request_type", "signed_hash", "n_samples", "hide_debug_overlay", "version", "image", "mask",
)  # fmt: skip
BRACES = "Braces of NovelAI are written as weights."


def read(texts: Texts) -> Said | None:
    inside = texts.first("EXIF comment", "stealth", "pasted")
    plain = dict(texts.plain) | {key: value for key, value in inside.items() if isinstance(value, str)}
    values = as_table(plain.get("Comment", "")) or texts.first("Comment", "EXIF comment", "stealth", "pasted")
    if not _is_novelai(plain, values):
        return None
    said = Said("NovelAI", plain.get("Source", "")[:80])
    _words(said, plain, values)
    _drawing(said, values)
    said.model("checkpoint", re.sub(r" [0-9A-F]{8}$", "", plain.get("Source", "")))
    said.leave_all(values, (*KNOWN, "Comment", "Description", "Source", "Software", "Title", "Generation time"))
    return said


def _is_novelai(plain: dict[str, str], values: dict[str, object]) -> bool:
    named = any("NovelAI" in plain.get(name, "") for name in ("Software", "Source", "Title", "EXIF software"))
    return named or "signed_hash" in values or ({"uc", "sampler", "scale"} <= values.keys() and "v2" not in values and "c" not in values)


def _words(said: Said, plain: dict[str, str], values: dict[str, object]) -> None:
    words = values.get("prompt", plain.get("Description"))
    for name, captions, written in (("prompt", "v4_prompt", words), ("negative_prompt", "v4_negative_prompt", values.get("uc"))):
        if isinstance(found := _caption(values, captions) or written, str):
            said.put(name, *weighed(found))


def _caption(values: dict[str, object], name: str) -> str:
    """Of version 4: the whole picture's caption, then each character's."""
    caption = table(table(values.get(name)).get("caption"))
    people = [text(table(one), "char_caption") for one in listed(caption.get("char_captions"))[:20]]
    return "\n".join(filter(None, [text(caption, "base_caption"), *people]))


def _drawing(said: Said, values: dict[str, object]) -> None:
    for name in ("steps", "seed", "width", "height"):
        said.put(name, whole(values.get(name)))
    said.put("guidance_scale", number(values.get("scale")))
    said.put("guidance_rescale", number(values.get("cfg_rescale")))
    said.sampler(values.get("sampler"), values.get("noise_schedule"))
    request = text(values, "request_type")
    said.begins_with_picture = request in ("Img2ImgRequest", "NativeInfillingRequest")
    said.has_mask = request == "NativeInfillingRequest"
    if said.begins_with_picture:
        said.put("denoising_strength", number(values.get("strength")))


def weighed(prompt: str) -> tuple[str, str]:
    """With braces as weights of ours, and why it is another text than stands there; "" where it is the same."""
    found = prompt[:100_000]
    for _ in range(MOST_BRACES):
        match = INNERMOST.search(found)
        if not match:
            break
        inside, power = match[1] or match[2], 1 if match[1] else -1
        start, end = match.span()
        while start and end < len(found) and found[start - 1] + found[end] == ("{}" if power > 0 else "[]"):
            start, end, power = start - 1, end + 1, power + (1 if power > 0 else -1)
        found = f"{found[:start]}({inside}:{STEP**power:.3g}){found[end:]}"
    found = WEIGHED.sub(lambda match: f"({match[2]}:{match[1]})", found)
    return found, BRACES if found != prompt else ""
