"""Enlarging by diffusion: what is asked of a model that reads a small picture and the words, and draws it four times larger."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from models.errors import UserError
from models.families import X4_UPSCALER
from pipelines.requests.added import HYPERNETWORKS, LORAS, HypernetworkUse, LoraUse
from pipelines.requests.base import WithPicture
from pipelines.requests.control_unit import MOST_UNITS, ControlUse
from pipelines.requests.drawing import Drawing
from pipelines.requests.fields import Choice, Range, Several, Text
from pipelines.requests.groups import CONTROL, MODEL, PICTURE, SAMPLING, TILES, WORDS
from pipelines.requests.sizes import LONGEST, SHORTEST
from pipelines.requests.tiles import UNTILED, WINDOWS, InWindows


@dataclass(frozen=True, kw_only=True)
class Upscale(InWindows, WithPicture, Drawing):
    """A picture drawn four times larger, by a model that reads it and the words. Width and height follow from the picture's size.

    Nothing that is added to checkpoints is made for such a model, so the form has none of it.
    """

    kind: ClassVar[str] = "upscale"
    title: ClassVar[str] = "Enlarge by diffusion"
    pixels_per_latent: ClassVar[int] = X4_UPSCALER.latent.pixels  # one latent lies under each pixel of the smaller picture

    checkpoint: str = MODEL("", Choice(), "Checkpoint")
    steps: int = SAMPLING(30, Range(1, 150), "Steps", "More steps refine; 30 is usual")
    guidance_scale: float = SAMPLING(9.0, Range(0, 30, 0.1), "Guidance", "How closely the prompt is followed; 9 is usual")
    noise_level: int = SAMPLING(
        20, Range(0, X4_UPSCALER.noise_levels), "Noise level", "Noise that is laid over the picture first; with more of it more is invented"
    )
    tiling: str = TILES(WINDOWS, Choice((UNTILED, WINDOWS)), "Tiles", "Windows blend at every step; a picture of one window is drawn whole")
    tile_overlap: int = TILES(128, Range(0, 1024, 8, snap=True), "Overlap", "Pixels that windows share")
    width: int = PICTURE(256, Range(SHORTEST, LONGEST, X4_UPSCALER.latent.pixels), "Width", derived=True)
    height: int = PICTURE(256, Range(SHORTEST, LONGEST, X4_UPSCALER.latent.pixels), "Height", derived=True)
    second_prompt: str = WORDS("", Text(100_000), "Second prompt", derived=True)
    vae: str = MODEL("", Choice(), "VAE", derived=True)
    clip_skip: int = MODEL(1, Range(1, 12, clamp=True), "Clip skip", derived=True)
    loras: tuple[LoraUse, ...] = MODEL((), LORAS, "LoRAs", derived=True)
    hypernetworks: tuple[HypernetworkUse, ...] = MODEL((), HYPERNETWORKS, "Hypernetworks", derived=True)
    controls: tuple[ControlUse, ...] = CONTROL((), Several(ControlUse, MOST_UNITS), "Control", derived=True)
    refiner: str = MODEL("", Choice(), "Refiner", derived=True)
    refiner_start: float = MODEL(0.8, Range(0, 1, 0.01), "Refiner from", derived=True)

    def sized(self, picture: tuple[int, int]) -> Self:
        """With the size that comes of a picture of this size. Raises `UserError` where that cannot be drawn."""
        times = X4_UPSCALER.latent.pixels
        width, height = (side * times for side in picture)
        becomes = f"The picture would become {width:,} × {height:,}"
        if min(width, height) < SHORTEST:
            raise UserError(f"{becomes}; {SHORTEST} pixels a side are the least. Put in a larger picture.")
        if max(width, height) > LONGEST:
            raise UserError(f"{becomes}; {LONGEST:,} pixels a side are the most. Put in one of {LONGEST // times:,} at most.")
        made = replace(self, width=width, height=height)
        made.check()
        return made
