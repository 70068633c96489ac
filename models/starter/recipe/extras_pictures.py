"""Latents of pictures in a look, encoded once and kept, and the loss of a denoiser on them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from models.starter.recipe.latents_stage import Pool
from models.starter.recipe.networks import alphas_cumulative, encoded
from models.starter.recipe.progress import load, save, to_network
from models.starter.recipe.sampling import Starter
from models.starter.recipe.scenes import Layout
from models.starter.recipe.unet_stage import SNR_CEILING, spread_timesteps

AT_ONCE = 10
Look = Callable[[Layout, int], NDArray[np.uint8]]


def pool_of(folder: Path, name: str, starter: Starter, layouts: Sequence[Layout], look: Look) -> Pool:
    """The latents of the layouts, drawn in a look. Kept in the folder under a name; encoded anew when their number is another."""
    stored = load(folder, name)
    if stored is None or len(stored["latents"]) != len(layouts):
        parts = [_latents(starter, layouts[at : at + AT_ONCE], look) for at in range(0, len(layouts), AT_ONCE)]
        stored = {"latents": torch.cat(parts)}
        save(folder, name, stored)
    return Pool(stored["latents"], tuple(layout.scene for layout in layouts))


@torch.no_grad()
def _latents(starter: Starter, layouts: Sequence[Layout], look: Look) -> Tensor:
    size = starter.vae.config["sample_size"]
    pictures = torch.from_numpy(np.stack([look(layout, size) for layout in layouts]))
    return encoded(starter.vae, to_network(pictures, starter.vae.device)).mean.half()


def noise_loss(starter: Starter, latents: Tensor, text: Tensor) -> Tensor:
    """The weighted squared error of v for scaled latents (B, 4, h, w) and text states (B, 77, width), as the starter was trained."""
    timesteps, shown = spread_timesteps(len(latents))
    share = alphas_cumulative()[timesteps]
    signal, spread = share.sqrt()[:, None, None, None], (1 - share).sqrt()[:, None, None, None]
    noise = torch.randn_like(latents)
    noisy = shown[:, None, None, None] * signal * latents + spread * noise
    made = starter.unet(noisy, timesteps, encoder_hidden_states=text).sample
    weight = ((SNR_CEILING + 1) / (share / (1 - share) + 1)).clamp(max=1)
    return (weight * (made - (signal * noise - spread * latents)).square().mean((1, 2, 3))).mean()
