"""Preview decoders: latents to a small picture, quickly and roughly, for every step of a running job."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from models.families import Family

SCALE = 4  # preview pixels per latent, along one side, of the trained decoder


class PreviewDecoder(nn.Module):
    """Three small convolutions, trained to imitate the VAE's decoder at half its resolution: (n, 4, h, w) -> (n, 3, 4h, 4w), -1..1."""

    def __init__(self, channels: int = 4, width: int = 48) -> None:
        super().__init__()
        layers = [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
        self.layers = nn.Sequential(*layers, nn.Conv2d(width, 3 * SCALE**2, 3, padding=1), nn.PixelShuffle(SCALE))

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return self.layers(latents)


class LinearPreview(PreviewDecoder):
    """One colour a latent, for models without a decoder of their own: (n, 4, h, w) -> (n, 3, h, w), -1..1."""

    def __init__(self, family: Family) -> None:
        nn.Module.__init__(self)
        self.register_buffer("factors", torch.tensor(family.latent.preview_factors))

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        return torch.einsum("nchw,cr->nrhw", latents, self.factors.to(latents.dtype))


def load_preview_decoder(folder: Path, family: Family) -> PreviewDecoder:
    file = folder / "preview.safetensors"
    if not file.is_file():
        return LinearPreview(family).requires_grad_(False)
    weights = {name: tensor.float() for name, tensor in load_file(file).items()}
    decoder = PreviewDecoder(family.latent.channels, weights["layers.0.weight"].shape[0])
    decoder.load_state_dict(weights)
    return decoder.eval().requires_grad_(False)
