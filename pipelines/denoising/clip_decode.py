"""Decoding of clips: latents to frames, some at a time, which the decoder sees together."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from models.errors import Overflow
from models.memory.device import release
from models.memory.forecast import drop_frames, is_out_of_memory
from models.video_model import VideoModel
from pipelines.denoising.vae_decode import full_precision, to_image

OVERFLOW = "Numbers overflowed in the VAE, even in full precision, so there is no clip to show. Try another seed."


@dataclass(frozen=True, slots=True)
class DecodedClip:
    """The frames of a clip, and how they were decoded."""

    frames: tuple[Image.Image, ...]
    chunk: int  # frames at a time: other chunks make other pixels
    precision: str = ""  # "float32": in full precision, as the model's own overflowed


def decode_clip(model: VideoModel, latents: Tensor, chunk: int) -> Generator[None, None, DecodedClip]:
    """Decodes latents (frames, channels, h, w). Yields between two chunks, which is where it can be stopped.

    `chunk`: frames at a time. The layers over the frames see a chunk and nothing beyond it, so this decides over pixels; where memory
    runs out it gets smaller. Raises `Overflow` when the pixels are not finite, even in float32.
    """
    is_half = model.device.dtype != torch.float32
    pixels, chunk = yield from _in_chunks(model, latents, chunk)
    if torch.isfinite(pixels).all():
        return DecodedClip(_images(pixels), chunk)
    if is_half:
        with full_precision(model):
            pixels, chunk = yield from _in_chunks(model, latents, chunk)
        if torch.isfinite(pixels).all():
            return DecodedClip(_images(pixels), chunk, "float32")
    raise Overflow(OVERFLOW)


def _in_chunks(model: VideoModel, latents: Tensor, chunk: int) -> Generator[None, None, tuple[Tensor, int]]:
    """(frames, 3, height, width) in the host's memory, and the chunk that there was room for."""
    while True:
        try:
            return (yield from _parts(model, latents, chunk)), chunk
        except Exception as error:
            if not is_out_of_memory(error) or chunk == 1:
                raise
            drop_frames(error)
        release(model.device)
        chunk = -(-chunk // 2)


def _parts(model: VideoModel, latents: Tensor, chunk: int) -> Generator[None, None, Tensor]:
    parts: list[Tensor] = []
    for first in range(0, len(latents), chunk):
        if first:
            yield
        parts.append(_decoded(model, latents[first : first + chunk]).cpu())
    return torch.cat(parts)


def _decoded(model: VideoModel, latents: Tensor) -> Tensor:
    scaled = model.family.latent.to_vae(latents).to(next(model.vae.parameters()).dtype)
    together = {"num_frames": len(scaled)} if model.timed_decoder else {}
    return model.vae.decode(scaled, **together, return_dict=False)[0].float()  # pyright: ignore[reportArgumentType, reportUnknownMemberType]


def _images(pixels: Tensor) -> tuple[Image.Image, ...]:
    return tuple(to_image(frame.unsqueeze(0)) for frame in pixels)
