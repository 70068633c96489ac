"""Two passes: the request of the second, from the one that drew the first, and both as one for the settings text that tells of both."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import TypeVar

from models.errors import UserError
from pipelines.prompts.tags import take_tags, write_tags
from pipelines.requests.request import SecondPass, TextToImage, Upscale, limits
from pipelines.requests.second_pass import SAME, FirstPass, Size
from pipelines.requests.tiles import InTiles
from pipelines.requests.wording import TEMPLATES

Larger = TypeVar("Larger", bound=SecondPass | Upscale)  # what draws a picture at a size that follows from its own
NOTHING: Mapping[str, str] = {}
AGAIN = ("batch_count", "batch_size", "all_combinations")  # a picture is a batch of one
# Field of the second pass -> the field of the first one's request that stands for it; empty there: as in the first pass.
ASKED = {
    "prompt": "hires_prompt", "negative_prompt": "hires_negative_prompt", "steps": "hires_steps", "sampler": "hires_sampler",
    "schedule": "hires_schedule", "guidance_scale": "hires_guidance", "checkpoint": "hires_checkpoint", "loras": "hires_loras",
}  # fmt: skip
TILED = {name: f"hires_{name}" for name in limits(InTiles)}  # likewise; what is 0 there is 0
OF_CHECKPOINT = {"vae": "", "refiner": ""}  # that was chosen for the first pass's
TOLD = ("prompt", "negative_prompt", "steps", "sampler", "schedule", "guidance_scale", "seed", "width", "height", "checkpoint")


def second_pass(request: TextToImage, image: str, size: Size, made_with: Mapping[str, str] = NOTHING) -> SecondPass:
    """The request that draws the second pass of a finished picture: `request` has drawn it, alone; `image`, `size` are its id and size.

    `made_with`: what is known of its models. Raises `UserError` where the new size cannot be drawn.
    """
    return sized(replace(unsized(request), image=image, first=(first_pass(request, image, made_with),) if image else ()), size)


def unsized(request: TextToImage) -> SecondPass:
    """What a second pass of this drawing asks for, while there is no picture."""
    values = {item.name: getattr(request, item.name) for item in fields(SecondPass) if _is_kept(item.name, item.metadata["derived"])}
    values |= {name: value for name, asked in ASKED.items() if (value := getattr(request, asked))}
    values |= {name: getattr(request, asked) for name, asked in TILED.items()}
    if not request.hires_loras and has_loras(request.hires_prompt):
        values["loras"] = ()
    if changes_checkpoint(request):
        values |= OF_CHECKPOINT
    values |= _templates(request)
    return SecondPass(**values, language=request.language, denoising_strength=request.hires_strength)


def _templates(request: TextToImage) -> dict[str, str]:
    """What the words of the second pass were drawn of: where they are those of the first pass, what those were drawn of."""
    prompt = request.hires_template if request.hires_prompt else request.prompt_template
    negative = request.hires_negative_template if request.hires_negative_prompt else request.negative_template
    return {"prompt_template": prompt, "negative_template": negative, "second_template": request.second_template}


def _is_kept(name: str, derived: bool) -> bool:
    """What both kinds have and the studio does not find anew."""
    return name in limits(TextToImage) and name not in AGAIN and not derived


def changes_checkpoint(request: TextToImage) -> bool:
    return request.hires_checkpoint not in (SAME, request.checkpoint)


def has_loras(prompt: str) -> bool:
    """Whether its tags name some: in the prompt of a second pass these take the place of the first pass's."""
    try:
        return any(tag.kind == "lora" for tag in take_tags(prompt)[1])
    except UserError:
        return True


def sized(request: Larger, size: Size) -> Larger:
    """With the size that comes of a picture of this size. Raises `UserError` where that cannot be drawn."""
    if isinstance(request, Upscale):
        return request.sized(size)
    width, height = request.target(size).size
    return replace(request, width=width, height=height)


def with_own_first(request: SecondPass) -> SecondPass:
    """Without the first pass of another picture than its own."""
    return replace(request, first=tuple(use for use in request.first if use.image == request.image))


def first_pass(request: TextToImage, image: str, made_with: Mapping[str, str] = NOTHING) -> FirstPass:
    """What the text of a second pass tells of the first one. `image`: the id of the picture that came of it."""
    told = {name: getattr(request, name) for name in TOLD}
    told["prompt"] += write_tags(request.loras, request.hypernetworks)
    return FirstPass(**told, image=image, model=made_with.get("Model", "")[:300], model_hash=made_with.get("Model hash", "")[:64])


def both(request: SecondPass) -> TextToImage | None:
    """Both passes as one request, whose text others read; None where the first one is not known, or one text cannot say both."""
    first = next(iter(request.first), None)
    if first is None or first.seed != request.seed:
        return None
    second = {name: getattr(request, name) for name in ASKED if name != "loras"}
    second["prompt"] += write_tags(request.loras, request.hypernetworks)
    differing = {ASKED[name]: value for name, value in second.items() if value != getattr(first, name)}
    if not all(differing.values()):
        return None  # what is empty would be read as in the first pass
    values = {name: getattr(request, name) for name in limits(SecondPass) if name in limits(TextToImage)}
    values |= {asked: getattr(request, name) for name, asked in TILED.items()}
    values |= {name: getattr(first, name) for name in TOLD} | differing
    for name in ("prompt", "negative_prompt"):
        if ASKED[name] in differing:  # what they were drawn of tells of the second pass alone
            values |= {TEMPLATES[ASKED[name]]: values[TEMPLATES[name]], TEMPLATES[name]: ""}
    both_of = TextToImage(**values, hires=True, hires_strength=request.denoising_strength)
    return replace(both_of, loras=(), hypernetworks=())  # these stand in its prompts as tags


def of_both(request: SecondPass, made_with: Mapping[str, str]) -> dict[str, str]:
    """What `both` was made with: the checkpoint of the first pass, and by its side that of the second where it is another."""
    first = request.first[0]
    if first.checkpoint == request.checkpoint:
        return dict(made_with)
    name, digest = made_with.get("Model", ""), made_with.get("Model hash", "")
    named = {"Model": first.model, "Model hash": first.model_hash, "Hires checkpoint": f"{name} [{digest}]" if digest else name}
    return {**made_with, **named}
