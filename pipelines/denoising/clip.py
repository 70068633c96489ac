"""Clips: what a video model is told beside noisy latents, and how strong guidance is at each frame.

Stable Video Diffusion, Blattmann et al. (2023), arXiv:2311.15127, as Stability's generative-models runs it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Protocol, cast

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from models.families.prediction import PREDICTIONS
from models.memory.device import sent
from models.networks.vision import Vision
from models.video_model import VideoModel
from pipelines.denoising.denoiser import Denoiser
from pipelines.denoising.guidance import SteadyGuidance
from pipelines.denoising.told import AtOnce, Condition, Conditioning
from pipelines.denoising.vae_decode import full_precision
from pipelines.denoising.vae_encode import to_pixels
from pipelines.samplers.noise_schedule import CountedSchedule

MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # of CLIP's training pictures, 0..1


@dataclass(frozen=True)
class Motion:
    """What a clip's network is told of how things shall move."""

    frames_a_second: int = 7  # 5 .. 30
    motion: int = 127  # 1 .. 255: how much moves
    picture_noise: float = 0.02  # 0 .. 1: noise that is laid over the picture first; with more of it more moves

    @property
    def numbers(self) -> tuple[tuple[float, ...], ...]:
        """The network was trained on one less than the frames of a second."""
        return ((self.frames_a_second - 1, self.motion, self.picture_noise),)


class Numbers(Protocol):
    """What a clip's network is told in numbers: `Motion`, or the views of `pipelines.denoising.turntable`."""

    @property
    def numbers(self) -> tuple[tuple[float, ...], ...]:
        """Once a clip, or once a frame."""
        ...

    @property
    def picture_noise(self) -> float:
        """Noise that is laid over the picture first, 0 .. 1."""
        ...


def conditioning(
    model: VideoModel, seen: Tensor, picture: Image.Image, noise: Tensor, motion: Numbers, scales: Sequence[float]
) -> Conditioning:
    """What is said at each call. Without the picture means zeros in place of its latents and of what is seen in it, and the same numbers.

    `seen`: what `seen_in` says of the picture. `picture`: RGB, at the size of the clip. `noise`: (1, 3, height, width), laid over it before
    the VAE reads it. `scales`: guidance of each frame.
    """
    latents = _latents(model, to_pixels(picture) + motion.picture_noise * noise)
    told = Condition(seen, sizes=motion.numbers, beside=latents)
    without = replace(told, context=torch.zeros_like(seen), beside=torch.zeros_like(latents))
    return Conditioning((AtOnce(((1.0, told),), without),), SteadyGuidance(torch.tensor(scales).view(1, -1, 1, 1, 1)))


def clip_denoiser(model: VideoModel, said: Conditioning, go_on: Callable[[], None] = lambda: None) -> Denoiser:
    """`go_on`: asked between two calls of one step; raises to end it."""
    return Denoiser(model, CountedSchedule(PREDICTIONS["edm_v"], model.family.aligned_levels), said, go_on=go_on)


def seen_in(vision: Vision, picture: Image.Image) -> Tensor:
    """(1, 1, width), by CLIP, which is shown the whole picture, RGB, squeezed to its square and not cut."""
    pixels, weight = to_pixels(picture), next(vision.network.parameters())
    side = cast(int, vision.network.config.image_size)
    return vision.network(as_clip_sees(smoothly(pixels, side)).to(weight.device, weight.dtype)).image_embeds.unsqueeze(1)


def as_clip_sees(pixels: Tensor) -> Tensor:
    """Pixels (n, 3, h, w) in -1..1 with the mean and the deviation of those that CLIP was trained on taken out."""
    mean, deviation = (torch.tensor(each).view(1, 3, 1, 1) for each in (MEAN, DEVIATION))
    return ((pixels + 1) / 2 - mean) / deviation


def smoothly(pixels: Tensor, side: int) -> Tensor:
    """Pixels (1, 3, h, w) as a square: a Gaussian blur where there are more of them than wanted, then bicubic, corners upon corners.

    As in the original, which takes it from kornia's `resize` with antialiasing.
    """
    for axis in (2, 3):
        pixels = _blurred(pixels, axis, max((pixels.shape[axis] / side - 1) / 2, 0.001))
    return functional.interpolate(pixels, (side, side), mode="bicubic", align_corners=True)


def _blurred(pixels: Tensor, axis: int, deviation: float) -> Tensor:
    width = int(max(4 * deviation, 3))
    width += 1 - width % 2
    places = torch.arange(width, dtype=pixels.dtype) - width // 2
    kernel = (-(places**2) / (2 * deviation**2)).exp()
    kernel = (kernel / kernel.sum()).view(1, 1, *((width, 1) if axis == 2 else (1, width))).expand(pixels.shape[1], -1, -1, -1)
    half = width // 2
    padded = functional.pad(pixels, (0, 0, half, half) if axis == 2 else (half, half, 0, 0), mode="reflect")
    return functional.conv2d(padded, kernel, groups=pixels.shape[1])


def _latents(model: VideoModel, pixels: Tensor) -> Tensor:
    """The mean that the VAE says, not scaled: so the network was trained. In half precision its encoder overflows."""
    is_half = model.device.dtype != torch.float32
    with full_precision(model) if is_half else nullcontext():
        read = sent(pixels, model.device.torch_device)
        return model.vae.encode(read, return_dict=False)[0].mean  # pyright: ignore[reportAttributeAccessIssue]
