"""Latent spaces: what a family's latents are, and the way between them and those of its VAE."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

PIXELS_PER_LATENT = 8  # along one side, in every family that draws from words

# Approximate latent -> RGB maps for previews, one row a latent channel, RGB in -1..1. Published measurements of the families' VAEs.
SD_PREVIEW = ((0.298, 0.207, 0.208), (0.187, 0.286, 0.173), (-0.158, 0.189, 0.264), (-0.184, -0.271, -0.473))
SDXL_PREVIEW = ((0.3920, 0.4054, 0.4549), (-0.2634, -0.0196, 0.0653), (0.0568, 0.1687, -0.0755), (-0.3112, -0.2359, -0.2076))


@dataclass(frozen=True, slots=True)
class LatentSpace:
    """The latents that a network reads and writes."""

    channels: int = 4
    pixels: int = PIXELS_PER_LATENT  # that lie under one latent, along one side
    scaling_factor: float = 0.18215  # latents of the network = latents of the VAE times this, whichever VAE file is used
    preview_factors: Sequence[tuple[float, float, float]] = SD_PREVIEW
    means: tuple[float, ...] = ()  # of the VAE's latents, one a channel, taken off before they are scaled; () : none are

    def of_vae(self, latents: Tensor) -> Tensor:
        """Latents of the VAE (n, channels, h, w) as the network reads them."""
        return (latents - self._means(latents) if self.means else latents) * self.scaling_factor

    def to_vae(self, latents: Tensor) -> Tensor:
        """The other way."""
        scaled = latents / self.scaling_factor
        return scaled + self._means(latents) if self.means else scaled

    def _means(self, latents: Tensor) -> Tensor:
        return latents.new_tensor(self.means).view(-1, 1, 1)


SD_LATENT = LatentSpace()
