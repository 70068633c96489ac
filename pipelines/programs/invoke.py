"""InvokeAI, all that its versions have written into a PNG.

    Dream                "a house [fog]" -s 20 -S 5 -W 512 -H 512 -C 7.5 -A k_lms                        1.x, 2.x
    sd-metadata          {"model_weights": ..., "image": {"prompt": [{"prompt": "a house [fog]"}], ...}}    2.x
    invokeai_metadata    {"positive_prompt": "a house", "cfg_scale": 7.5, "scheduler": "euler_a", ...}         3 to 6

In the first two what stands in square brackets is the negative prompt. Models of version 4 and later have BLAKE3 hashes, which find
nothing here. Sources: invoke-ai/InvokeAI, ldm/invoke/args.py (2.3), invokeai/app/invocations/metadata.py (3 to 6).
"""

from __future__ import annotations

import re

from models.json_values import is_table, listed, table, text
from pipelines.programs.said import Said, Texts, number, whole

TABLES = ("invokeai_metadata", "invokeai")
MARKS = ("invokeai_metadata", "invokeai_graph", "invokeai_workflow", "invokeai", "sd-metadata", "Dream")
OWN_KEYS = ("positive_prompt", "positive_conditioning", "rand_device", "generation_mode")
NEGATIVE = re.compile(r"\[([^\[\]]{0,20000})\]")
SWITCH = re.compile(r"\s(-{1,2}[A-Za-z_]{1,30})[ =]?([^\s-]\S{0,60}|-[\d.]\S{0,60})?")
DREAM = re.compile(r'\s*"((?:[^"\\]|\\.){0,100000})"(.{0,4000})', re.DOTALL)
SWITCHES = {
    "-s": "steps", "--steps": "steps", "-S": "seed", "--seed": "seed", "-W": "width", "--width": "width", "-H": "height",
    "--height": "height", "-C": "cfg_scale", "--cfg_scale": "cfg_scale", "-A": "sampler", "--sampler": "sampler", "-f": "strength",
    "--strength": "strength", "-m": "sampler",
}  # fmt: skip
NUMBERS = ("steps", "seed", "width", "height")
KNOWN = (
    "positive_prompt", "negative_prompt", "positive_conditioning", "negative_conditioning", "width", "height", "seed", "cfg_scale",
    "cfg_rescale_multiplier", "steps", "scheduler", "clip_skip", "model", "loras", "vae", "strength", "refiner_model", "refiner_start",
    "app_version", "generation_mode", "rand_device", "type", "init_image",
)  # fmt: skip
OLD_KNOWN = ("prompt", "steps", "seed", "width", "height", "cfg_scale", "sampler", "strength", "type", "init_image_path")


def read(texts: Texts) -> Said | None:
    metadata = texts.first(*TABLES, "EXIF comment", "pasted")
    if any(name in texts.tables for name in TABLES) or any(key in metadata for key in OWN_KEYS):
        return _core(metadata)
    old = texts.first("sd-metadata", "Sd-metadata", "pasted")
    if is_table(old.get("image")):
        return _old(old)
    if dream := DREAM.fullmatch(texts.plain.get("Dream", "")[:110_000]):
        return _dream(dream[1], dream[2])
    return Said("InvokeAI") if any(mark in texts.plain for mark in MARKS) else None


def _core(values: dict[str, object]) -> Said:
    said = Said("InvokeAI", text(values, "app_version")[:40])
    for name, old in (("positive", "prompt"), ("negative", "negative_prompt")):
        said.put(old, values.get(f"{name}_prompt", values.get(f"{name}_conditioning")))
    for name in NUMBERS:
        said.put(name, whole(values.get(name)))
    said.put("guidance_scale", number(values.get("cfg_scale")))
    said.put("guidance_rescale", number(values.get("cfg_rescale_multiplier")))
    if isinstance(skipped := whole(values.get("clip_skip")), int):  # layers that are left out; ours counts from 1
        said.put("clip_skip", skipped + 1)
    said.sampler(values.get("scheduler"))
    _strength(said, values, "init_image" in values or text(values, "generation_mode").endswith(("img2img", "inpaint", "outpaint")))
    said.has_mask = text(values, "generation_mode").endswith(("inpaint", "outpaint"))
    _models(said, values)
    said.leave_all(values, KNOWN)
    return said


def _strength(said: Said, values: dict[str, object], begins: bool) -> None:
    said.begins_with_picture = begins
    if begins:
        said.put("denoising_strength", number(values.get("strength")))


def _models(said: Said, values: dict[str, object]) -> None:
    _model(said, "checkpoint", values.get("model"))
    _model(said, "vae", values.get("vae"))
    if is_table(values.get("refiner_model")):
        _model(said, "refiner", values["refiner_model"])
        said.put("refiner_start", number(values.get("refiner_start")))
    for row in map(table, listed(values.get("loras"))[:64]):
        name, digest = _named(row.get("model", row.get("lora")))
        said.model("lora", name, digest, row.get("weight", 1.0))


def _model(said: Said, place: str, value: object) -> None:
    name, digest = _named(value)
    if place in ("checkpoint", "vae", "refiner"):
        said.model("checkpoint" if place == "checkpoint" else "vae" if place == "vae" else "refiner", name, digest)


def _named(value: object) -> tuple[object, object]:
    """Of version 3 a "model_name", of later ones a "name" and a hash."""
    if isinstance(value, str):
        return value, ""
    found = table(value)
    return found.get("name", found.get("model_name")), str(found.get("hash", "")).removeprefix("sha256:")


def _old(values: dict[str, object]) -> Said:
    image = table(values["image"])
    said = Said("InvokeAI", text(values, "app_version").removeprefix("v")[:40])
    written = image.get("prompt")
    prompts = [text(table(one), "prompt") for one in listed(written)[:20]] if not isinstance(written, str) else [written]
    _with_brackets(said, " ".join(filter(None, prompts)))
    _settings(said, image, text(image, "type") == "img2img" or bool(image.get("init_image_path")))
    said.model("checkpoint", values.get("model_weights"), values.get("model_hash"))
    said.leave_all(image, OLD_KNOWN)
    return said


def _dream(prompt: str, switches: str) -> Said:
    said = Said("InvokeAI")
    _with_brackets(said, prompt.replace('\\"', '"'))
    given: dict[str, object] = {}
    for found in SWITCH.finditer(f" {switches}"):
        if name := SWITCHES.get(found[1]):
            given[name] = found[2]
        else:
            said.leave(found[1], found[2] or "yes")
    _settings(said, given, "strength" in given)
    return said


def _settings(said: Said, values: dict[str, object], begins: bool) -> None:
    for name in NUMBERS:
        said.put(name, whole(values.get(name)))
    said.put("guidance_scale", number(values.get("cfg_scale")))
    said.sampler(values.get("sampler"))
    _strength(said, values, begins)


def _with_brackets(said: Said, prompt: str) -> None:
    negative = ", ".join(part.strip() for part in NEGATIVE.findall(prompt) if part.strip())
    said.put("prompt", " ".join(NEGATIVE.sub(" ", prompt).split()))
    said.put("negative_prompt", negative)
