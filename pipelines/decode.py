"""Latents to pixels, in float32 when the model's own precision overflows, tile by tile when the picture is large."""

from __future__ import annotations

from collections.abc import Generator

import torch
from PIL import Image
from torch import Tensor

from models.errors import Overflow
from models.loading import DiffusionModel

TILE = 96  # latents along one side; a picture of at most this many is decoded whole
OVERLAP = 16  # latents that neighbouring tiles share, blended linearly


def decode(model: DiffusionModel, latents: Tensor) -> Generator[None, None, Image.Image]:
    """Decodes one picture's latents (1, 4, h, w). Yields between tiles, which is where it can be stopped; returns the picture.

    Raises `Overflow` when the pixels are not finite, even in float32.
    """
    pixels = yield from _pixels(model, latents)
    if not torch.isfinite(pixels).all() and model.device.dtype != torch.float32:
        model.vae.float()
        try:
            pixels = yield from _pixels(model, latents)
        finally:
            model.vae.to(dtype=model.device.dtype)  # pyright: ignore[reportCallIssue]
    if not torch.isfinite(pixels).all():
        raise Overflow("Numbers overflowed in the VAE, even in full precision, so there is no picture to show. Try another seed or VAE.")
    return to_image(pixels)


def to_image(pixels: Tensor) -> Image.Image:
    """(1, 3, h, w) in -1..1 to a picture of 8 bits."""
    bytes_ = ((pixels[0] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(bytes_.permute(1, 2, 0).contiguous().cpu().numpy())


def _pixels(model: DiffusionModel, latents: Tensor) -> Generator[None, None, Tensor]:
    height, width = latents.shape[2:]
    if max(height, width) <= TILE:
        return _decode(model, latents)
    scale = model.family.pixels_per_latent
    total = torch.zeros(1, 3, height * scale, width * scale)
    weight = torch.zeros(1, 1, height * scale, width * scale)
    for top in _starts(height):
        for left in _starts(width):
            part = _decode(model, latents[:, :, top : top + TILE, left : left + TILE]).cpu()
            mask = _ramp(part.shape[2], OVERLAP * scale)[:, None] * _ramp(part.shape[3], OVERLAP * scale)
            area = (..., slice(top * scale, top * scale + part.shape[2]), slice(left * scale, left * scale + part.shape[3]))
            total[area] += part * mask
            weight[area] += mask
            yield
    return total / weight


def _decode(model: DiffusionModel, latents: Tensor) -> Tensor:
    dtype = next(model.vae.parameters()).dtype
    scaled = latents / model.vae.config["scaling_factor"] + (model.vae.config.get("shift_factor") or 0)
    return model.vae.decode(scaled.to(dtype), return_dict=False)[0].float()


def _starts(length: int) -> list[int]:
    """Where tiles begin along one side: they share at least OVERLAP and end at the picture's end."""
    if length <= TILE:
        return [0]
    return [*range(0, length - TILE, TILE - OVERLAP), length - TILE]


def _ramp(length: int, overlap: int) -> Tensor:
    """Weights of one tile along one side: rising over the overlap, 1 inside, falling over the overlap. Never 0."""
    rise = (torch.arange(length) + 1) / overlap
    return torch.minimum(rise, rise.flip(0)).clamp(max=1)
