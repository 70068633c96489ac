"""Special checkpoints, made for one task: what each does, and which kinds of request it can draw."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from models.families import SV3D, SVD, ZERO123
from models.library.checkpoint import Checkpoint


@dataclass(frozen=True, slots=True)
class MadeFor:
    what: str  # ends the sentence "“...” is"
    channels: int  # that its UNet reads; four of them are the latents
    kinds: tuple[str, ...] = ()  # of requests


MADE_FOR: Mapping[str, MadeFor] = {  # by variant
    "inpaint": MadeFor("an inpainting model: it fills in a part of a picture", 9, ("inpaint", "outpaint", "details")),
    "depth": MadeFor("a depth model: it draws over the depths of a picture", 5, ("depth",)),
    "instruct": MadeFor("an editing model: it changes a picture as it is told", 8),
    "upscale": MadeFor("an upscaling model: it enlarges a picture", 7, ("upscale",)),
}

# By family, of those that read no words; their UNets are of other kinds, so nobody asks for their channels.
WITHOUT_WORDS: Mapping[str, MadeFor] = {
    SVD.key: MadeFor("a video model: it makes a clip of a picture", 0, ("video",)),
    ZERO123.key: MadeFor("a model that turns things: it shows a thing from elsewhere", 0, ("turn",)),
    SV3D.key: MadeFor("a model that turns things: it walks around one", 0, ("turn",)),
}


# Kinds that are drawn by one model alone, and what is said where it is not there.
LACKING: Mapping[str, str] = {
    "upscale": "This needs Stability’s x4 upscaler (stable-diffusion-x4-upscaler). Put its folder or its file among the checkpoints.",
    "video": "There is no video model yet. Put Stable Video Diffusion (svd_xt.safetensors, of Stability AI) among the checkpoints.",
    "turn": "This needs a model that turns things (Zero123, Zero123-XL, Stable Zero123, SV3D). Put its file among the checkpoints.",
}


def draws(checkpoint: Checkpoint, kind: str) -> bool:
    """Whether it can draw requests of this kind."""
    made_for = _made_for(checkpoint)
    return kind not in LACKING if made_for is None else kind in made_for.kinds


def cannot_draw(name: str, what: str) -> str:
    return f"“{name[:80]}” is {what}, so it cannot draw this. Choose another checkpoint here."


def what_draws(checkpoint: Checkpoint) -> str:
    """What a checkpoint is that cannot draw something."""
    made_for = _made_for(checkpoint)
    return made_for.what if made_for else "a model that draws from words"


def what_reads(channels: int) -> str:
    """What a UNet is that reads so many channels."""
    return next((made_for.what for made_for in MADE_FOR.values() if made_for.channels == channels), "made for another task")


def _made_for(checkpoint: Checkpoint) -> MadeFor | None:
    return WITHOUT_WORDS.get(checkpoint.family_key) or MADE_FOR.get(checkpoint.variant)
