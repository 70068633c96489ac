"""Keys of the settings text: what each field of a request is called there, in which order they stand, and how others spell them."""

from __future__ import annotations

from dataclasses import fields

from pipelines.metadata import hires_text, tile_text
from pipelines.metadata.provenance import ENLARGER
from pipelines.requests.guidance import Guided

VERSION = "0.1"

# Options of samplers and schedules, but for the noise levels that somebody wrote down, which are ours alone.
SAMPLING = {
    "eta": "Eta",
    "ddim_eta": "Eta DDIM",
    "gamma": "TCD gamma",
    "s_noise": "Sigma noise",
    "s_churn": "Sigma churn",
    "s_tmin": "Sigma tmin",
    "s_tmax": "Sigma tmax",
    "sigma_min": "Schedule min sigma",
    "sigma_max": "Schedule max sigma",
    "rho": "Schedule rho",
    "beta_alpha": "Beta schedule alpha",
    "beta_beta": "Beta schedule beta",
    "sigmas": "Noise levels",
}
# Of guidance they are ours, and what its fields are called on the page.
GUIDED: dict[str, str] = {item.name: item.metadata["title"] for item in fields(Guided)}
# Request field -> the key that others use.
KEYS = GUIDED | {
    "steps": "Steps",
    "sampler": "Sampler",
    "schedule": "Schedule type",
    "guidance_scale": "CFG scale",
    "seed": "Seed",
    "clip_skip": "Clip skip",
    "second_prompt": "Prompt 2",
    "language": "Prompt language",
    "guidance_rescale": "CFG Rescale",
    "refiner_start": "Refiner switch at",
    "variation_seed": "Variation seed",
    "variation_strength": "Variation seed strength",
    **SAMPLING,
    "base_share": "Region base share",
}
SEAMLESS = "Tiling"  # A1111's, which joins all edges or none: True; here also X or Y
TEMPLATES = {
    "prompt_template": "Template", "negative_template": "Negative Template",  # as A1111's sd-dynamic-prompts calls them
    "second_template": "Template 2", "hires_template": "Hires template", "hires_negative_template": "Hires negative template",
}  # fmt: skip
SELDOM = frozenset((
    "clip_skip", "second_prompt", "language", "guidance_rescale", "refiner_start", "variation_seed", "variation_strength", "base_share",
    *GUIDED, *SAMPLING,
))  # where not the default  # fmt: skip
# Fields of what begins with a picture. Of the pictures themselves the text has the beginnings of their ids, the JSON all of them.
PICTURE_KEYS = {
    "denoising_strength": "Denoising strength",
    "resize_mode": "Resize mode",
    "image": "Init image hash",
    "mask_blur": "Mask blur",
    "masked_content": "Masked content",
    "area": "Inpaint area",
    "padding": "Masked area padding",
    "inverted": "Mask mode",
    "soft": "Soft inpainting",
    "left": "Outpaint left",
    "right": "Outpaint right",
    "top": "Outpaint top",
    "bottom": "Outpaint bottom",
    "together": "Details drawn",
    "estimator": "Depth estimator",
    "map": "Depth map hash",
    "map_inverted": "Depth inverted",
    "cut_off": "Depth cut-off",
    "far": "Depth far",
    "near": "Depth near",
    "curve": "Depth curve",
    "map_blur": "Depth blur",
    "filter": "Postprocess upscaler",
    "factor": "Postprocess upscale by",
    "blend": "Postprocess upscaler 2 visibility",
    "upscaler_tile": "Upscaler tile",
    "upscaler_overlap": "Upscaler tile overlap",
    "noise_level": "Upscale noise level",
    "frames": "Frames",
    "frames_a_second": "Frames a second",
    "motion": "Motion",
    "picture_noise": "Noise on the picture",
    "guidance_first": "Guidance of the first frame",
    "guidance_last": "Guidance of the last frame",
    "guidance_shape": "Guidance shape",
    "decode_chunk": "Frames decoded together",
    "cut": "Object cut out by",
    "background": "Object background",
    "tolerance": "Object tolerance",
    "object_size": "Object size",
    "azimuth": "View azimuth",
    "elevation": "View elevation",
    "distance": "View distance",
    "picture_elevation": "Picture elevation",
    "views": "Views",
    "gathered": "Views become",
    "convention": "View convention",
}
UPSCALE_TO = "Postprocess upscale to"  # width x height, in place of a factor
HIRES = {"sampler": "hires_sampler", "schedule": "hires_schedule"}
SIZE = "Size"  # width x height
EXACT = {"prompt": "Atelier prompt", "negative_prompt": "Atelier negative prompt"}
LAST = {"Version": f"Atelier {VERSION}"}
# A1111's order. What it has no key for, and what its extensions add, follows; the version is last.
ORDER = {key: place for place, key in enumerate((
    "Steps", "Sampler", "Schedule type", "CFG scale", "Seed", SIZE, "Model hash", "Model", "VAE hash", "VAE", "Variation seed",
    "Variation seed strength", "Denoising strength", "Clip skip", "Init image hash",
))}  # fmt: skip
OURS = frozenset((
    *KEYS.values(), *TEMPLATES.values(), *PICTURE_KEYS.values(), *tile_text.OURS, *hires_text.OURS, SIZE, SEAMLESS, ENLARGER,
    *EXACT.values(), "Version",
))  # fmt: skip

# As other programs spell them. Letters large and small are the same.
SAME = {key.casefold(): key for key in OURS} | {
    "scheduler": "Schedule type", "guidance scale": "CFG scale", "cfg": "CFG scale", "width x height": SIZE, "model name": "Model",
}  # fmt: skip
