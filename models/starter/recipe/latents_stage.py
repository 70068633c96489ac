"""Encoding drawn scenes once, so that the denoiser trains on latents from the disk.

A scene is known by its number: the number seeds the chance that makes it, so
only numbers and latents are stored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from torch import Tensor

from models.starter.recipe.networks import decoded, encoded, mixed_precision, new_vae, place
from models.starter.recipe.progress import load, save, to_network
from models.starter.recipe.scenes import Layout, Scene, arrange, draw, scene_of_split

CHUNK = 500


@dataclass(frozen=True)
class Pool:
    """Latents (N, 4, h, w), float16 and unscaled, and the scene each was drawn from."""

    latents: Tensor
    scenes: tuple[Scene, ...]


def chances(pool: Pool, two_things: float, kinds: Mapping[str, float]) -> NDArray[np.float64]:
    """How often each scene is to be taken, in all 1. `two_things`, `kinds`: how many times as often as others, for each that applies."""
    weights = [
        math.prod(kinds.get(thing.kind, 1) for thing in scene.things) * two_things ** (len(scene.things) - 1) for scene in pool.scenes
    ]
    return np.array(weights) / sum(weights)


def numbered_layout(number: int) -> Layout:
    """The training scene of a number, always the same."""
    rng = np.random.default_rng(number)
    return arrange(scene_of_split(rng, is_held_out=False), rng)


@torch.no_grad()
def encode_scenes(folder: Path, size: int, count: int, device: torch.device) -> None:
    """Encode scenes 0 to count - 1 in chunks; chunks already there are left alone."""
    done = load(folder, "vae")
    if done is None:
        raise FileNotFoundError(f"{folder}/vae.pt is missing: train the VAE first")
    vae = new_vae(size)
    place(vae, device)
    vae.load_state_dict(done["average"])
    for first in range(0, count, CHUNK):
        if load(folder / "latents", f"{first:06d}") is None:
            numbers = range(first, first + CHUNK)
            parts = [_latents_of(vae, numbers[at : at + 20], size, device) for at in range(0, CHUNK, 20)]
            save(folder / "latents", f"{first:06d}", {"latents": torch.cat(parts)})


def _latents_of(vae: AutoencoderKL, numbers: range, size: int, device: torch.device) -> Tensor:
    pictures = np.stack([draw(numbered_layout(number), size) for number in numbers])
    with mixed_precision(device):
        mean = encoded(vae, to_network(torch.from_numpy(pictures), device)).mean
    return mean.half().cpu()


def read_pool(folder: Path) -> Pool:
    """Every chunk encoded so far."""
    chunks = sorted((folder / "latents").glob("*.pt"))
    latents = [torch.load(chunk, weights_only=True)["latents"] for chunk in chunks]
    numbers = [number for chunk in chunks for number in range(int(chunk.stem), int(chunk.stem) + CHUNK)]
    return Pool(torch.cat(latents), tuple(numbered_layout(number).scene for number in numbers))


@torch.no_grad()
def round_trips(folder: Path, size: int, count: int) -> list[tuple[NDArray[np.uint8], Scene]]:
    """The first scenes as the VAE gives them back from latents with a little noise on them."""
    done = load(folder, "decoder") or load(folder, "vae")
    if done is None:
        return []
    vae = new_vae(size)
    vae.load_state_dict(done["average"])
    pairs: list[tuple[NDArray[np.uint8], Scene]] = []
    for first in range(0, count, 20):
        layouts = [numbered_layout(number) for number in range(first, first + 20)]
        pictures = torch.from_numpy(np.stack([draw(layout, size) for layout in layouts]))
        with mixed_precision(torch.device("cpu")):
            latents = encoded(vae, to_network(pictures, torch.device("cpu"))).mean
            noise = 0.1 * latents.std() * torch.randn_like(latents)
            made = decoded(vae, latents + noise).float()
        back = ((made.clamp(-1, 1) + 1) * 127.5).byte().permute(0, 2, 3, 1).numpy()
        pairs += [(picture, layout.scene) for picture, layout in zip(back, layouts, strict=True)]
    return pairs
