"""SwarmUI: JSON with "sui_image_params", under "parameters" of a PNG or in the user comment of a JPEG.

{"sui_image_params": {"prompt": "a house", "negativeprompt": "", "model": "meadow", "seed": 5, "steps": 20, "cfgscale": 7.0,
  "width": 512, "height": 512, "sampler": "euler", "scheduler": "normal", "loras": ["ink"], "loraweights": ["0.5"],
  "swarm_version": "0.9.5.1"}, "sui_models": [{"name": "meadow.safetensors", "param": "model", "hash": "0x0123…"}]}

Its hashes are of the tensors alone, which find nothing here. Source: mcmonkeyprojects/SwarmUI, src/Text2Image/T2IParamTypes.cs.
"""

from __future__ import annotations

from itertools import zip_longest

from models.json_values import is_list, table, text
from pipelines.programs.said import Said, Texts, number, whole

KNOWN = (
    "prompt", "negativeprompt", "model", "seed", "steps", "cfgscale", "width", "height", "sampler", "scheduler", "vae", "loras",
    "loraweights", "swarm_version", "variationseed", "variationseedstrength", "initimagecreativity", "initimage", "clipstopatlayer",
    "maskimage",
)  # fmt: skip


def read(texts: Texts) -> Said | None:
    whole_table = next((found for found in texts.tables.values() if "sui_image_params" in found), None)
    if whole_table is None:
        return Said("SwarmUI") if "sui_image_params" in texts.plain else None
    values = table(whole_table["sui_image_params"])
    said = Said("SwarmUI", text(values, "swarm_version")[:40])
    _drawing(said, values)
    _models(said, values)
    said.leave_all(values, KNOWN)
    return said


def _drawing(said: Said, values: dict[str, object]) -> None:
    said.put("prompt", values.get("prompt"))
    said.put("negative_prompt", values.get("negativeprompt"))
    for name in ("seed", "steps", "width", "height"):
        said.put(name, whole(values.get(name)))
    said.put("guidance_scale", number(values.get("cfgscale")))
    said.sampler(values.get("sampler"), values.get("scheduler"))
    said.put("variation_seed", whole(values.get("variationseed")))
    said.put("variation_strength", number(values.get("variationseedstrength")))
    if isinstance(layer := whole(values.get("clipstopatlayer")), int) and -100 < layer < 0:  # -1 the last one
        said.put("clip_skip", -layer)
    said.begins_with_picture = "initimage" in values or "initimagecreativity" in values
    said.has_mask = "maskimage" in values
    if said.begins_with_picture:
        said.put("denoising_strength", number(values.get("initimagecreativity")))


def _models(said: Said, values: dict[str, object]) -> None:
    said.model("checkpoint", values.get("model"))
    said.model("vae", values.get("vae"))
    names, weights = _several(values.get("loras")), _several(values.get("loraweights"))
    for name, weight in zip_longest(names[:64], weights[:64]):
        said.model("lora", name, "", weight if weight is not None else 1.0)


def _several(value: object) -> list[object]:
    """Of earlier versions a text with commas."""
    if is_list(value):
        return value
    return [part.strip() for part in value.split(",")] if isinstance(value, str) and value else []
