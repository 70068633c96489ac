"""Pairs for the upscaler: scenes drawn at four times the starter's size, and what the starter makes of them at its own.

Kept in chunks in the folder of the checkpoints, so that drawing them may be stopped and go on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from models.starter.recipe.captions import caption
from models.starter.recipe.latents_stage import numbered_layout
from models.starter.recipe.networks import decoded, encoded
from models.starter.recipe.progress import load, save, to_network
from models.starter.recipe.sampling import Starter, states_of, to_pictures
from models.starter.recipe.scenes import Layout, draw

SCALE = 4
CHUNK = 20
WAYS = ("drawn", "round trip", "noisy round trip", "redrawn")
"""What a small picture has been through; each scene of the pool is there in every way."""

NOISE = 0.1  # on the latents of the noisy round trips, at most, in units of their spread
REDRAWN_STEPS = 2  # of 20, that the UNet takes over the latents of a scene
GUIDANCE_SCALE = 5.0


@dataclass(frozen=True)
class Pairs:
    """Large pictures, uint8 (N, 4 s, 4 s, 3), and the same scenes small, uint8 (N, ways, s, s, 3)."""

    large: Tensor
    small: Tensor


def numbered_pairs(starter: Starter, folder: Path, count: int) -> Pairs:
    """The training scenes 0 to count - 1; what the folder holds of them is not drawn again."""
    firsts = range(0, count, CHUNK)
    chunks = [_chunk(starter, folder / "upscaler", range(first, min(first + CHUNK, count))) for first in firsts]
    return Pairs(torch.cat([chunk.large for chunk in chunks]), torch.cat([chunk.small for chunk in chunks]))


def _chunk(starter: Starter, folder: Path, numbers: range) -> Pairs:
    stored = load(folder, f"{numbers.start:05d}")
    if stored is None or len(stored["large"]) != len(numbers):
        made = pairs_of(starter, [numbered_layout(number) for number in numbers], numbers.start)
        stored = {"large": made.large, "small": made.small}
        save(folder, f"{numbers.start:05d}", stored)
    return Pairs(stored["large"], stored["small"])


def pairs_of(starter: Starter, layouts: Sequence[Layout], seed: int) -> Pairs:
    """Every layout in every way; the same seed gives the same noise."""
    size = starter.vae.config["sample_size"]
    large, drawn = (torch.from_numpy(np.stack([draw(layout, side) for layout in layouts])) for side in (SCALE * size, size))
    chance = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        latents = encoded(starter.vae, to_network(drawn, starter.vae.device)).mean
        strengths = NOISE * latents.std() * torch.rand((len(layouts), 1, 1, 1), generator=chance)
        noisy = latents + strengths * torch.randn(latents.shape, generator=chance)
        words = [caption(layout.scene, np.random.default_rng([seed, place]))[0] for place, layout in enumerate(layouts)]
        back = [_pictures(starter, latents), _pictures(starter, noisy), _redrawn(starter, latents, words, chance)]
    return Pairs(large, torch.stack([drawn, *back], 1))


def _pictures(starter: Starter, latents: Tensor) -> Tensor:
    return ((decoded(starter.vae, latents).clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1)


def _redrawn(starter: Starter, latents: Tensor, words: list[str], chance: torch.Generator) -> Tensor:
    """The last steps of a drawing, over the latents of the scene: the edges are the UNet's, but where the scene has them."""
    both = torch.cat([states_of(starter, [""] * len(words)), states_of(starter, words)])
    starter.scheduler.set_timesteps(20)
    timesteps = starter.scheduler.timesteps[-REDRAWN_STEPS:]
    scaled = latents * starter.vae.config["scaling_factor"]
    noise = torch.randn(latents.shape, generator=chance)
    now = starter.scheduler.add_noise(scaled, noise, timesteps[:1])  # pyright: ignore[reportArgumentType] (typed as IntTensor)
    for timestep in timesteps.tolist():
        without, wanted = starter.unet(torch.cat([now, now]), timestep, encoder_hidden_states=both).sample.chunk(2)
        now = starter.scheduler.step(without + GUIDANCE_SCALE * (wanted - without), timestep, now, return_dict=False)[0]
    return torch.from_numpy(to_pictures(starter.vae, now))
