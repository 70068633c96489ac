"""Views around a thing: what a model that turns things is told of a picture and of where it shall be seen from.

Zero123, Liu et al. (2023), arXiv:2303.11328, and Stable Zero123, as threestudio runs it. The thing stands on white, in a square of 256
pixels.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from models.diffusion_model import DiffusionModel
from models.loading.turning import PoseReader
from models.memory.device import sent
from pipelines.denoising.clip import as_clip_sees
from pipelines.denoising.denoiser import Denoiser
from pipelines.denoising.guidance import SteadyGuidance
from pipelines.denoising.told import AtOnce, Condition, Conditioning
from pipelines.denoising.vae_encode import to_pixels
from pipelines.samplers.noise_schedule import schedule_of

TOP = 90.0  # degrees of elevation from which one looks straight down


@dataclass(frozen=True)
class View:
    """Where a thing is seen from, as seen from where the picture was taken."""

    azimuth: float = 0.0  # degrees to the right around it
    up: float = 0.0  # degrees; the other way is negative
    nearer: float = 0.0  # -0.5 .. 0.5: farther, nearer

    def numbers(self, elevation: float | None) -> tuple[float, float, float, float]:
        """`elevation`: degrees above the thing's middle from which the picture was taken, for models that ask for it (Stable Zero123);
        None: the model asks for the distance instead.
        """
        angle = math.radians(self.azimuth)
        last = -self.nearer if elevation is None else math.radians(TOP - elevation)
        return -math.radians(self.up), math.sin(angle), math.cos(angle), last


def seen_in(reader: PoseReader, picture: Image.Image, views: Sequence[View], elevation: float | None = None) -> Tensor:
    """(views, 1, width): what all that the cross attention reads says of each view. `elevation`: see `View.numbers`.

    `picture`: RGB, square, at the size that is drawn.
    """
    return _context(reader, to_pixels(picture), [view.numbers(elevation) for view in views])


def conditioning(model: DiffusionModel, seen: Tensor, picture: Image.Image, scale: float) -> Conditioning:
    """What is said of each view. Without the picture means zeros, behind the projection, and zeros in place of its latents.

    `seen`: of `seen_in`, for the same picture.
    """
    latents = _latents(model, to_pixels(picture))
    context = sent(seen, model.device.torch_device)
    told = Condition(context, beside=latents)
    without = replace(told, context=torch.zeros_like(context), beside=torch.zeros_like(latents))
    return Conditioning((AtOnce(((1.0, told),), without),), SteadyGuidance(torch.tensor(scale)))


def turning_denoiser(model: DiffusionModel, said: Conditioning, go_on: Callable[[], None] = lambda: None) -> Denoiser:
    """Of as many pictures as there are views. `go_on`: asked between two calls of one step; raises to end it."""
    return Denoiser(model, schedule_of(model), said, go_on=go_on)


def _context(reader: PoseReader, pixels: Tensor, poses: Sequence[Sequence[float]]) -> Tensor:
    """(views, 1, width). CLIP is shown the picture enlarged to its square, corners upon corners."""
    network, weight = reader.vision.network, reader.projection.weight
    side = cast(int, network.config.image_size)
    square = functional.interpolate(pixels, (side, side), mode="bicubic", align_corners=True)
    seen = network(as_clip_sees(square).to(weight)).image_embeds
    each = [torch.cat([seen, torch.tensor([pose]).to(seen)], 1) for pose in poses]
    return torch.stack([reader.projection(told) for told in each])  # one by one: so a view of a sheet is, bit for bit, the view alone


def _latents(model: DiffusionModel, pixels: Tensor) -> Tensor:
    """(1, channels, h, w): the mean that the VAE says, not scaled, as the network was trained."""
    read = sent(pixels, model.device.torch_device).to(model.device.dtype)
    return model.vae.encode(read, return_dict=False)[0].mean  # pyright: ignore[reportAttributeAccessIssue]
