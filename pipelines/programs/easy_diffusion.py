"""Easy Diffusion: in a PNG a text for each value, in JPEG and WebP all of them as JSON in the user comment.

use_stable_diffusion_model, or "Stable Diffusion model" where the text format was chosen; likewise prompt and Prompt, sampler_name and
Sampler. Source: easydiffusion/easydiffusion, ui/easydiffusion/utils/save_utils.py.
"""

from __future__ import annotations

from itertools import zip_longest

from models.json_values import is_list
from pipelines.programs.said import Said, Texts, number, whole

MARKS = ("use_stable_diffusion_model", "Stable Diffusion model", "stable_diffusion_model")
LABELS = {
    "Prompt": "prompt", "Negative Prompt": "negative_prompt", "Seed": "seed", "Stable Diffusion model": "use_stable_diffusion_model",
    "Clip Skip": "clip_skip", "VAE model": "use_vae_model", "Sampler": "sampler_name", "Width": "width", "Height": "height",
    "Steps": "num_inference_steps", "Guidance Scale": "guidance_scale", "Prompt Strength": "prompt_strength",
    "LoRA model": "use_lora_model", "LoRA Strength": "lora_alpha", "Hypernetwork model": "use_hypernetwork_model",
    "Hypernetwork Strength": "hypernetwork_strength", "Embedding models": "use_embeddings_model",
    "stable_diffusion_model": "use_stable_diffusion_model",
}  # fmt: skip
OTHERS = (
    "tiling", "use_face_correction", "use_upscale", "upscale_amount", "latent_upscaler_steps", "use_controlnet_model",
    "control_filter_to_apply", "Seamless Tiling", "Use Face Correction", "Use Upscaling", "Upscale By", "ControlNet model",
)  # fmt: skip


def read(texts: Texts) -> Said | None:
    found: dict[str, object] = dict(texts.first("EXIF comment", "Comment", "pasted")) or dict(texts.plain)
    if not any(mark in found for mark in MARKS):
        return None
    values = {LABELS.get(key, key): value for key, value in found.items() if value != "None"}
    said = Said("Easy Diffusion")
    _drawing(said, values)
    _models(said, values)
    for key in OTHERS:
        if values.get(key) not in (None, "", False, "False"):
            said.leave(key, values[key])
    return said


def _drawing(said: Said, values: dict[str, object]) -> None:
    for name in ("prompt", "negative_prompt"):
        said.put(name, values.get(name))
    for name in ("seed", "width", "height"):
        said.put(name, whole(values.get(name)))
    said.put("steps", whole(values.get("num_inference_steps")))
    said.put("guidance_scale", number(values.get("guidance_scale")))
    said.sampler(values.get("sampler_name"))
    if str(values.get("clip_skip")) == "True":  # a yes here, which leaves out the last layer
        said.put("clip_skip", 2)
    if "prompt_strength" in values:
        said.begins_with_picture = True
        said.put("denoising_strength", number(values["prompt_strength"]))


def _models(said: Said, values: dict[str, object]) -> None:
    said.model("checkpoint", values.get("use_stable_diffusion_model"))
    said.model("vae", values.get("use_vae_model"))
    names, weights = _several(values.get("use_lora_model")), _several(values.get("lora_alpha"))
    for name, weight in zip_longest(names[:64], weights[:64]):
        said.model("lora", name, "", weight if weight is not None else 1.0)
    said.model("hypernetwork", values.get("use_hypernetwork_model"), "", values.get("hypernetwork_strength", 1.0))


def _several(value: object) -> list[object]:
    """Of several, the PNG has them as Python writes a list, and the text format with commas."""
    if is_list(value):
        return value
    if isinstance(value, str):
        return [part.strip(" '\"") for part in value.strip("[]").split(",")]
    return [] if value is None else [value]
