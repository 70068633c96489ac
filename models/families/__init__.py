"""The kinds of model the loop can drive, one entry a family. The loop reads these fields and asks nothing else of a family."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Family:
    name: str
    latent_channels: int
    pixels_per_latent: int  # along one side
    # Approximate latent -> RGB map for previews, one row a latent channel, RGB in -1..1. Published measurements of the family's VAE.
    preview_factors: tuple[tuple[float, float, float], ...]


STABLE_DIFFUSION_1 = Family(
    name="Stable Diffusion 1",
    latent_channels=4,
    pixels_per_latent=8,
    preview_factors=((0.298, 0.207, 0.208), (0.187, 0.286, 0.173), (-0.158, 0.189, 0.264), (-0.184, -0.271, -0.473)),
)
