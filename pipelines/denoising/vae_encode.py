"""VAE encoding: pixels to latents, tile by tile when the picture is large, in float32 when the model's precision overflows."""

from __future__ import annotations

from collections.abc import Generator

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from models.diffusion_model import DiffusionModel
from models.errors import Overflow
from pipelines.denoising.vae_decode import OVERLAP, TILE, full_precision, ramp, tile_starts


def encode(model: DiffusionModel, image: Image.Image) -> Generator[None, None, Tensor]:
    """The latents (1, 4, h/8, w/8) of an RGB picture whose sides are multiples of 8: see `encode_pixels`."""
    return (yield from encode_pixels(model, to_pixels(image)))


def encode_pixels(model: DiffusionModel, pixels: Tensor) -> Generator[None, None, Tensor]:
    """The latents, float32, of pixels (1, 3, h, w) in -1..1. Yields between tiles.

    The mean of the VAE's distribution is taken and no sample, so the same picture gives the same latents. Raises `Overflow` when
    they are not finite even in float32.
    """
    latents = yield from _tiled(model, pixels)
    if torch.isfinite(latents).all():
        return latents
    if model.device.dtype != torch.float32:
        with full_precision(model):
            latents = yield from _tiled(model, pixels)
        if torch.isfinite(latents).all():
            return latents
    raise Overflow("Numbers overflowed in the VAE as it read your picture, even in full precision. Try another VAE.")


def to_pixels(image: Image.Image) -> Tensor:
    """(1, 3, h, w) in -1..1, float32."""
    return torch.as_tensor(np.asarray(image, np.float32) / 127.5 - 1).permute(2, 0, 1).unsqueeze(0)


def mask_latents(mask: Image.Image, height: int, width: int) -> Tensor:
    """(1, 1, height, width) in 0..1: the mean of the mask's pixels under each latent."""
    full = torch.as_tensor(np.asarray(mask, np.float32) / 255)[None, None]
    return torch.nn.functional.interpolate(full, size=(height, width), mode="area")


def _tiled(model: DiffusionModel, pixels: Tensor) -> Generator[None, None, Tensor]:
    scale = model.family.latent.pixels
    height, width = (side // scale for side in pixels.shape[2:])
    if max(height, width) <= TILE:
        return _encode(model, pixels)
    total = torch.zeros(1, model.family.latent.channels, height, width, device=model.device.torch_device)
    weight = torch.zeros(1, 1, height, width, device=model.device.torch_device)
    for top in tile_starts(height, TILE):
        for left in tile_starts(width, TILE):
            area = (..., slice(top, top + TILE), slice(left, left + TILE))
            part = _encode(model, pixels[:, :, top * scale : (top + TILE) * scale, left * scale : (left + TILE) * scale])
            share = (ramp(part.shape[2], OVERLAP)[:, None] * ramp(part.shape[3], OVERLAP)).to(part)
            total[area] += part * share
            weight[area] += share
            yield
    return total / weight


def _encode(model: DiffusionModel, pixels: Tensor) -> Tensor:
    inputs = pixels.to(model.device.torch_device, next(model.vae.parameters()).dtype)
    mean = model.vae.encode(inputs, return_dict=False)[0].mean  # pyright: ignore[reportAttributeAccessIssue]
    return model.family.latent.of_vae(mean.float())
