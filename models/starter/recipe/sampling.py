"""Pictures from captions with nothing but the trained networks, for measuring them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from numpy.typing import NDArray
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

from models.starter.recipe.networks import decoded
from models.starter.recipe.tokenizer import tokens_of

STARTER = Path(__file__).parent.parent


@dataclass(frozen=True)
class Starter:
    """The loaded networks of a starter folder, in float32."""

    vae: AutoencoderKL
    unet: UNet2DConditionModel
    text_encoder: CLIPTextModel
    tokenizer: CLIPTokenizer
    scheduler: DDIMScheduler


def load_starter(folder: Path = STARTER) -> Starter:
    """Read a starter folder; nothing is fetched from anywhere."""
    scheduler = DDIMScheduler.from_pretrained(folder / "scheduler")
    assert isinstance(scheduler, DDIMScheduler)
    return Starter(
        AutoencoderKL.from_pretrained(folder / "vae").float().eval(),
        UNet2DConditionModel.from_pretrained(folder / "unet").float().eval(),
        CLIPTextModel.from_pretrained(folder / "text_encoder").float().eval(),
        CLIPTokenizer.from_pretrained(folder / "tokenizer"),
        scheduler,
    )


def sample(
    starter: Starter,
    prompts: list[str],
    *,
    steps: int,
    guidance_scale: float,
    seed: int,
    negative_prompt: str = "",
) -> NDArray[np.uint8]:
    """Pictures (B, size, size, 3) by DDIM with classifier-free guidance (arXiv 2207.12598)."""
    text, empty = (states_of(starter, words) for words in (prompts, [negative_prompt] * len(prompts)))
    latents = sample_latents(starter, text, empty, steps=steps, guidance_scale=guidance_scale, seed=seed)
    return to_pictures(starter.vae, latents)


@torch.no_grad()
def states_of(starter: Starter, prompts: list[str]) -> Tensor:
    """Text states (B, 77, width)."""
    return starter.text_encoder(tokens_of(starter.tokenizer, prompts)).last_hidden_state


@torch.no_grad()
def sample_latents(
    starter: Starter,
    text: Tensor,
    empty: Tensor,
    *,
    steps: int,
    guidance_scale: float,
    seed: int,
) -> Tensor:
    """Scaled latents (B, 4, h, w), from the text states of the prompts and of what they are held against."""
    both = torch.cat([empty, text])
    side = starter.unet.config["sample_size"]
    noise = torch.Generator().manual_seed(seed)
    latents = torch.randn((len(text), 4, side, side), generator=noise)
    starter.scheduler.set_timesteps(steps)
    for timestep in starter.scheduler.timesteps.tolist():
        made = starter.unet(torch.cat([latents, latents]), timestep, encoder_hidden_states=both).sample
        without, wanted = made.chunk(2)
        guided = without + guidance_scale * (wanted - without)
        latents = starter.scheduler.step(guided, timestep, latents, return_dict=False)[0]
    return latents


@torch.no_grad()
def to_pictures(vae: AutoencoderKL, latents: Tensor) -> NDArray[np.uint8]:
    """Scaled latents to uint8 (B, H, W, 3)."""
    made = decoded(vae, latents / vae.config["scaling_factor"])
    return ((made.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
