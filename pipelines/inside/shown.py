"""Latents as pictures: by the VAE where that is quick, else by the small map of previews."""

from __future__ import annotations

from collections.abc import Generator

import torch
from PIL import Image
from torch import Tensor

from models.diffusion_model import DiffusionModel
from pipelines.denoising.preview import pictures_of
from pipelines.denoising.vae_decode import decode
from pipelines.inside.desk import Seen
from pipelines.jobs.events import retold

QUICK = 2**20  # pixels that the VAE decodes for one panel on a processor: a few seconds
ON_A_CARD = 32  # times as many


def is_quick(model: DiffusionModel, pixels: int) -> bool:
    """Whether the VAE may decode so many."""
    return pixels <= QUICK * (1 if model.device.torch_device.type == "cpu" else ON_A_CARD)


def decoded(model: DiffusionModel, latents: Tensor, exact: bool, at: Seen) -> Generator[Seen, None, Image.Image]:
    """The picture of latents (1, 4, h, w). `exact`: by the VAE. `at`: what is said between its tiles."""
    if exact:
        return (yield from retold(decode(model, latents), lambda _: at)).image
    return previewed(model, latents)[0]


def previewed(model: DiffusionModel, latents: Tensor) -> list[Image.Image]:
    """By the map of previews: of each latent a few pixels or one."""
    with torch.inference_mode():
        return pictures_of(model.preview, latents)
