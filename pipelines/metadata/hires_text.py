"""A second pass in a picture's settings text, both ways, in the words and the order of A1111 1.10 (Forge adds the last one).

Denoising strength: 0.5, Hires prompt: by night, Hires upscale: 2, Hires steps: 10, Hires upscaler: Latent

What is as in the first pass is left out. Tags of LoRAs stand in the prompt of each pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from models.errors import UserError
from pipelines.prompts.tags import Tag, take_tags, write_tags
from pipelines.requests.added import LoraUse
from pipelines.requests.request import Drawing, SecondPass, TextToImage
from pipelines.requests.second_pass import SAME, UPSCALER_NAMES

STRENGTH = "Denoising strength"
KEYS = {  # request field -> key
    "hires_checkpoint": "Hires checkpoint",
    "hires_sampler": "Hires sampler",
    "hires_prompt": "Hires prompt",
    "hires_negative_prompt": "Hires negative prompt",
    "hires_schedule": "Hires schedule type",
    "hires_factor": "Hires upscale",
    "hires_steps": "Hires steps",
    "hires_upscaler": "Hires upscaler",
    "hires_guidance": "Hires CFG Scale",
}
CHECKPOINT = KEYS["hires_checkpoint"]
UPSCALER = KEYS["hires_upscaler"]  # the name of a filter, of a latent mode or of a file
UPSCALER_HASH = f"{UPSCALER} hash"  # of a file; ours alone
RESIZE = "Hires resize"  # width x height, in place of a factor
OURS = frozenset({*KEYS.values(), RESIZE} - {CHECKPOINT})  # whose checkpoint is looked up as the others are
LIKE = {"hires_sampler": "sampler", "hires_negative_prompt": "negative_prompt", "hires_schedule": "schedule"}
USE_SAME = re.compile(r"use same .*", re.IGNORECASE)  # as A1111 says it
PLAIN = re.compile(r"(\d{1,5}) ?[x×] ?(\d{1,5})")


def hires_pairs(request: Drawing, made_with: Mapping[str, str]) -> dict[str, str | float]:
    """`made_with`: has what the checkpoint of the second pass is called and its hash, where it is another, and the upscaler's name.

    Values that are numbers stay numbers.
    """
    if isinstance(request, SecondPass):  # over a picture of which nothing else is told
        return _size(request) | {UPSCALER: _called(request, made_with)}
    if not isinstance(request, TextToImage) or not request.hires:
        return {}
    other: dict[str, str] = {name: SAME for name, like in LIKE.items() if getattr(request, name) == getattr(request, like)}
    other |= {"hires_checkpoint": made_with.get(CHECKPOINT, ""), "hires_prompt": hires_prompt(request)}
    other["hires_upscaler"] = _called(request, made_with)
    pairs: dict[str, str | float] = {STRENGTH: request.hires_strength}
    for name, key in KEYS.items():
        if name == "hires_factor":
            pairs |= _size(request)
        elif value := other.get(name, getattr(request, name)):
            pairs[key] = value
    return pairs


def _called(request: SecondPass | TextToImage, made_with: Mapping[str, str]) -> str:
    return made_with.get(UPSCALER, request.upscaler) if request.upscaler else request.hires_upscaler


def _size(request: SecondPass | TextToImage) -> dict[str, str | float]:
    if request.hires_width or request.hires_height:
        return {RESIZE: f"{request.hires_width}x{request.hires_height}"}
    return {KEYS["hires_factor"]: request.hires_factor}


def hires_prompt(request: TextToImage) -> str:
    """The prompt of the second pass with the tags of its LoRAs; "" where both are those of the first."""
    if not request.hires_prompt and not request.hires_loras:
        return SAME
    first = request.prompt + write_tags(request.loras, request.hypernetworks)
    loras = request.hires_loras or request.loras
    second = (request.hires_prompt or request.prompt) + write_tags(loras, request.hypernetworks)
    return SAME if second == first else second


def read_hires(pairs: Mapping[str, str]) -> dict[str, str]:
    """What the text says of a second pass, by fields of a request and as it is written; nothing where it tells of none."""
    told = {name: pairs[key] for name, key in KEYS.items() if key in pairs and key != CHECKPOINT and not USE_SAME.fullmatch(pairs[key])}
    if size := PLAIN.fullmatch(pairs.get(RESIZE, "")):
        told |= {"hires_width": size[1], "hires_height": size[2]}
    if "hires_upscaler" in told:
        told["hires_upscaler"] = _spelled(told["hires_upscaler"])
    return told


def _spelled(upscaler: str) -> str:
    """In capitals or not, as ours are written. A1111 has no upscaler called "None", and then takes Lanczos."""
    upscaler = "Lanczos" if upscaler.casefold() == "none" else upscaler
    return next((name for name in UPSCALER_NAMES if name.casefold() == upscaler.casefold()), upscaler)


def is_told(pairs: Mapping[str, str]) -> bool:
    return any(key in pairs for key in (*KEYS.values(), RESIZE))


def with_hires_tags(request: TextToImage) -> tuple[TextToImage, tuple[str, ...]]:
    """Tags in the prompt of the second pass become its LoRAs, and with none of them it has none, though the first may have some."""
    if not request.hires_prompt:
        return request, ()
    try:
        prompt, tags = take_tags(request.hires_prompt)
    except UserError as error:
        return request, (f"The tags stay in the prompt of the second pass: {error}",)
    read = tuple(lora_of(tag) for tag in tags if tag.kind == "lora")
    none = tuple(replace(use, unet=0.0, text_encoder=0.0) for use in request.loras)
    loras = () if read == request.loras else read or none
    return replace(request, hires_prompt=SAME if prompt == request.prompt else prompt, hires_loras=loras), ()


def lora_of(tag: Tag) -> LoraUse:
    return LoraUse(name=tag.name[:300], unet=tag.unet, text_encoder=tag.text_encoder, blocks=tag.blocks[:400], pace=tag.pace[:400])
