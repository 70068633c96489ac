"""VAE decoding: latents to pixels, in float32 when the model's own precision overflows, tile by tile when the picture is large."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from models.diffusion_model import DiffusionModel
from models.errors import Overflow
from models.memory.device import release
from models.memory.forecast import drop_frames, is_out_of_memory
from models.video_model import VideoModel
from pipelines.requests.as_made import DecodeUse
from pipelines.requests.request import MOST_DECODES, Drawing, Drawn

TILE = 96  # latents along one side; a picture of at most this many is decoded whole
SMALL_TILE = 32  # where memory ran out
OVERFLOW = "Numbers overflowed in the VAE, even in full precision, so there is no picture to show. Try another seed or VAE."
OVERLAP = 16  # latents that neighbouring tiles share, blended linearly


USUAL = DecodeUse()


@dataclass(frozen=True, slots=True)
class Decoded:
    """A finished picture, and how the VAE was run for each of its parts."""

    image: Image.Image
    ways: tuple[DecodeUse, ...] = (USUAL,)

    @property
    def notes(self) -> dict[str, str]:
        """For other studios, where a way was not the usual one."""
        tile, precision = max(way.tile for way in (USUAL, *self.ways)), max(way.precision for way in (USUAL, *self.ways))
        return ({"VAE tile": str(tile)} if tile else {}) | ({"VAE precision": precision} if precision else {})

    def recorded(self, request: Drawn) -> Drawn:
        """The request that makes the picture in these ways again."""
        return replace(request, decodes=() if set(self.ways) <= {USUAL} else self.ways[:MOST_DECODES])


def way_of(request: Drawing, part: int = 0) -> DecodeUse:
    """How the VAE is to be run for this part of the picture."""
    return request.decodes[part] if part < len(request.decodes) else USUAL


def decode(model: DiffusionModel, latents: Tensor, way: DecodeUse = USUAL) -> Generator[None, None, Decoded]:
    """Decodes one picture's latents (1, 4, h, w). Yields between tiles, which is where it can be stopped; returns the picture.

    `way`: how it was done before, when a picture is made again. Raises `Overflow` when the pixels are not finite, even in float32.
    """
    is_half = model.device.dtype != torch.float32
    if not (is_half and way.precision):
        pixels, tile = yield from _pixels(model, latents, way.tile)
        if torch.isfinite(pixels).all():
            return Decoded(to_image(pixels), (DecodeUse(tile=tile),))
        if not is_half:
            raise Overflow(OVERFLOW)
    with full_precision(model):
        pixels, tile = yield from _pixels(model, latents, way.tile)
    if not torch.isfinite(pixels).all():
        raise Overflow(OVERFLOW)
    return Decoded(to_image(pixels), (DecodeUse(tile=tile, precision="float32"),))


@contextmanager
def full_precision(model: DiffusionModel | VideoModel) -> Generator[None]:
    """The VAE's weights in float32, and back: exact, as every number of half precision is one of float32."""
    model.vae.float()  # pyright: ignore[reportUnknownMemberType]  # diffusers annotates it in part, as the next two
    try:
        yield
    finally:
        model.vae.to(dtype=model.device.dtype)  # pyright: ignore[reportUnknownMemberType, reportCallIssue]


def to_image(pixels: Tensor) -> Image.Image:
    """(1, 3, h, w) in -1..1 to a picture of 8 bits."""
    bytes_ = ((pixels[0] + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    return Image.fromarray(bytes_.permute(1, 2, 0).contiguous().cpu().numpy())


def _pixels(model: DiffusionModel, latents: Tensor, tile: int) -> Generator[None, None, tuple[Tensor, int]]:
    """(1, 3, 8h, 8w), or something that is not finite, and the tile. When memory runs out it is decoded in smaller ones.

    `tile`: pixels along one side, 0 for the usual ones.
    """
    scale = model.family.latent.pixels
    try:
        return (yield from _tiled(model, latents, _whole_latents(tile, scale) or TILE)), tile
    except Exception as error:
        if not is_out_of_memory(error) or max(latents.shape[2:]) <= SMALL_TILE:
            raise
        drop_frames(error)
    release(model.device)
    return (yield from _tiled(model, latents, SMALL_TILE)), SMALL_TILE * scale


def _whole_latents(pixels: int, scale: int) -> int:
    """A tile must be wider than what it shares with the next one."""
    return max(pixels // scale, SMALL_TILE) if pixels else 0


def _tiled(model: DiffusionModel, latents: Tensor, tile: int) -> Generator[None, None, Tensor]:
    height, width = latents.shape[2:]
    if max(height, width) <= tile:
        return _decode(model, latents)
    if any(model.joins):
        return (yield from _joined(model, latents, tile))
    scale = model.family.latent.pixels
    total = torch.zeros(1, 3, height * scale, width * scale)
    weight = torch.zeros(1, 1, height * scale, width * scale)
    for top in tile_starts(height, tile):
        for left in tile_starts(width, tile):
            part = _decode(model, latents[:, :, top : top + tile, left : left + tile]).cpu()
            if not torch.isfinite(part).all():
                return part  # the other tiles could not mend it
            mask = ramp(part.shape[2], OVERLAP * scale)[:, None] * ramp(part.shape[3], OVERLAP * scale)
            area = (..., slice(top * scale, top * scale + part.shape[2]), slice(left * scale, left * scale + part.shape[3]))
            total[area] += part * mask
            weight[area] += mask
            yield
    return total / weight


def _joined(model: DiffusionModel, latents: Tensor, tile: int) -> Generator[None, None, Tensor]:
    """No tile sees both edges: what lies beyond each is laid round the picture, decoded with it, and cut off."""
    across, down = (OVERLAP if joins else 0 for joins in model.joins)
    round_it = functional.pad(functional.pad(latents, (across, across, 0, 0), "circular"), (0, 0, down, down), "circular")
    pixels = yield from _tiled(replace(model, joins=(False, False)), round_it, tile)
    left, top = (side * model.family.latent.pixels for side in (across, down))
    return pixels[..., top : pixels.shape[2] - top, left : pixels.shape[3] - left] if torch.isfinite(pixels).all() else pixels


def _decode(model: DiffusionModel, latents: Tensor) -> Tensor:
    dtype = next(model.vae.parameters()).dtype
    # The factor belongs to the latents, so to the checkpoint: the VAE may be one that was made for others.
    scaled = model.family.latent.to_vae(latents).to(dtype)
    return model.vae.decode(scaled, return_dict=False)[0].float()  # pyright: ignore[reportArgumentType, reportUnknownMemberType]


def tile_starts(length: int, tile: int) -> list[int]:
    """Where tiles begin along one side: they share at least OVERLAP and end at the picture's end."""
    if length <= tile:
        return [0]
    return [*range(0, length - tile, tile - OVERLAP), length - tile]


def ramp(length: int, overlap: int) -> Tensor:
    """Weights of one tile along one side: rising over the overlap, 1 inside, falling over the overlap. Never 0."""
    rise = (torch.arange(length) + 1) / overlap
    return torch.minimum(rise, rise.flip(0)).clamp(max=1)
