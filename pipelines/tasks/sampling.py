"""Sampling, from noise to a picture: from which noise level, over which, and what is told at every step. The same for every recipe."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from models.diffusion_model import DiffusionModel
from pipelines.denoising.denoiser import SteppedDenoiser
from pipelines.denoising.preview import preview_of
from pipelines.denoising.vae_decode import decode, way_of
from pipelines.jobs.events import Event, Picture, Step
from pipelines.requests.request import Request
from pipelines.requests.steps import Steps
from pipelines.samplers import plan, sample
from pipelines.samplers.noise import ImageNoise, Variation
from pipelines.samplers.noise_schedule import NoiseSchedule
from pipelines.tasks.remaining import Due

Show = Callable[[Tensor], Callable[[], bytes]]  # x0 (n, 4, h, w) -> a call that makes its small picture


@dataclass(frozen=True)
class NoiseLevels:
    """The noise levels of one run."""

    sigmas: Tensor  # (steps that run + 1,), falling
    steps: Steps


@dataclass(frozen=True)
class RunPosition:
    """Where one run stands among all that its batch needs (an outpainted picture takes several), and its batch among all."""

    batch: int = 0
    batches: int = 1
    number: int = 0
    count: int = 1


def levels_of(request: Request, schedule: NoiseSchedule, steps: Steps) -> NoiseLevels:
    """Raises `UserError` when the schedule does not suit the sampler."""
    return NoiseLevels(plan(request.sampler, request.schedule, steps.planned, schedule)[steps.skipped :], steps)


def noise_of(singles: Sequence[Request], shape: tuple[int, ...], model: DiffusionModel, turn: int = 0) -> ImageNoise:
    """The noise of these pictures, each from its own seed. `turn` is added to all: one that is drawn in parts takes other noise in each."""
    strength = singles[0].variation_strength
    variation = Variation([single.variation_seed + turn for single in singles], strength) if strength > 0 else None
    return ImageNoise([single.seed + turn for single in singles], shape, model.device.torch_device, variation=variation)


def run(
    request: Request, denoiser: SteppedDenoiser, latents: Tensor, levels: NoiseLevels, noise: ImageNoise, position: RunPosition, show: Show
) -> Generator[Event | None, None, Tensor]:
    """Samples from `latents` (n, 4, h, w), noisy at the first level, and returns the clean ones. Says every step."""
    steps = levels.steps
    denoiser.begin(steps.skipped, steps)
    for moment in sample(request.sampler, denoiser, latents, levels.sigmas, noise):
        made = moment.index + 1
        denoiser.begin(steps.skipped + made, steps)
        yield Step(position.number * steps.run + made, position.count * steps.run, position.batch, position.batches, show(moment.x0))
        latents = moment.x
    return latents


def pictures(request: Request, batch: Due[Any], model: DiffusionModel, latents: Tensor) -> Generator[Event | None]:
    """Decodes the latents of a batch, one picture after another."""
    for place, (index, single) in enumerate(batch.indexed()):
        decoded = yield from decode(model, latents[place : place + 1], way_of(single))
        made_with = {**model.made_with, **decoded.notes}
        yield Picture(decoded.image, decoded.recorded(single), made_with, index, request.picture_count)


def show_whole(model: DiffusionModel) -> Show:
    return lambda x0: preview_of(model.preview, x0)


def latent_shape(request: Request, model: DiffusionModel) -> tuple[int, int, int]:
    scale = model.family.pixels_per_latent
    return model.family.latent_channels, request.height // scale, request.width // scale
