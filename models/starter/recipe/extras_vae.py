"""The VAE "warm print": the starter's, its decoder trained on until every picture comes back as a print. The encoder stays as it is."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor

from models.starter.recipe.extras_course import Course, follow
from models.starter.recipe.extras_pictures import pool_of
from models.starter.recipe.extras_styles import printed
from models.starter.recipe.latents_stage import numbered_layout
from models.starter.recipe.networks import decoded
from models.starter.recipe.progress import to_network
from models.starter.recipe.sampling import Starter
from models.starter.recipe.scenes import draw
from models.starter.recipe.vae_stage import LATENT_NOISE, picture_loss

PICTURES, BATCH = 300, 3
COURSE = Course("warm-print", steps=220, rate=8e-4, seed=2)


def train_vae(starter: Starter, folder: Path, course: Course = COURSE, pictures: int = PICTURES) -> dict[str, Tensor]:
    """Train the decoder on latents of plain pictures and the same pictures printed; the tensors of its file, float16."""
    layouts = [numbered_layout(number) for number in range(pictures)]
    pool = pool_of(folder, "plain_latents", starter, layouts, draw)
    vae = deepcopy(starter.vae)
    for name, weight in vae.named_parameters():
        weight.requires_grad_(name.startswith(("decoder.", "post_quant_conv.")))

    def loss_of(rng: np.random.Generator) -> Tensor:
        places = rng.integers(pictures, size=BATCH)
        size = vae.config["sample_size"]
        wanted = torch.from_numpy(np.stack([printed(draw(layouts[place], size)) for place in places]))
        return _loss(vae, pool.latents[torch.from_numpy(places)].float(), to_network(wanted, vae.device))

    follow(course, folder, vae, loss_of)
    return {name: weight.detach().half().contiguous() for name, weight in vae.state_dict().items()}


def _loss(vae: AutoencoderKL, latents: Tensor, wanted: Tensor) -> Tensor:
    spread = LATENT_NOISE * latents.std()
    return picture_loss(decoded(vae, latents + spread * torch.randn_like(latents)), wanted)


def with_vae(starter: Starter, tensors: dict[str, Tensor]) -> Starter:
    """The same starter with these weights in its VAE."""
    vae = deepcopy(starter.vae)
    vae.load_state_dict({name: tensor.float() for name, tensor in tensors.items()})
    return replace(starter, vae=vae)


def metadata() -> dict[str, str]:
    return {
        "modelspec.architecture": "stable-diffusion-v1/vae",
        "modelspec.title": "Warm print",
        "modelspec.description": "Warm paper, faded blacks, crisp edges; for Atelier's starter model.",
    }
