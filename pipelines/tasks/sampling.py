"""Sampling, from noise to a picture: from which noise level, over which, and what is told at every step. The same for every recipe."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from models.diffusion_model import DiffusionModel
from models.errors import Overflow
from pipelines.denoising.denoiser import SteppedDenoiser
from pipelines.denoising.preview import preview_of
from pipelines.denoising.vae_decode import decode, way_of
from pipelines.jobs.events import Event, Step
from pipelines.jobs.runner import Events
from pipelines.requests.request import Drawing
from pipelines.requests.steps import Steps
from pipelines.samplers import plan, sample
from pipelines.samplers.noise import ImageNoise, Variation
from pipelines.samplers.noise_schedule import NoiseSchedule
from pipelines.tasks.batch import DrawingBatch

Show = Callable[[Tensor], Callable[[], bytes]]  # x0 (n, 4, h, w) -> a call that makes its small picture


@dataclass(frozen=True)
class NoiseLevels:
    """The noise levels of one run."""

    sigmas: Tensor  # (steps that run + 1,), falling
    steps: Steps


@dataclass(frozen=True)
class RunPosition:
    """The position of one run among all that its batch needs (an outpainted picture takes several), and its batch among all."""

    batch: int = 0
    batches: int = 1
    number: int = 0
    count: int = 1


def levels_of(request: Drawing, schedule: NoiseSchedule, steps: Steps) -> NoiseLevels:
    """Raises `UserError` when the schedule does not suit the sampler."""
    return NoiseLevels(plan(request.sampler, request.schedule, steps.planned, schedule)[steps.skipped :], steps)


def noise_of(singles: Sequence[Drawing], shape: tuple[int, ...], model: DiffusionModel, turn: int = 0) -> ImageNoise:
    """The noise of these pictures, each from its own seed. `turn` is added to all: one that is drawn in parts takes other noise in each."""
    strength = singles[0].variation_strength
    variation = Variation([single.variation_seed + turn for single in singles], strength) if strength > 0 else None
    return ImageNoise([single.seed + turn for single in singles], shape, model.device.torch_device, variation=variation)


def run(
    request: Drawing, denoiser: SteppedDenoiser, latents: Tensor, levels: NoiseLevels, noise: ImageNoise, position: RunPosition, show: Show
) -> Generator[Event | None, None, Tensor]:
    """Samples from `latents` (n, 4, h, w), noisy at the first level, and returns the clean ones. Says every step.

    Raises `Overflow` when a step brings numbers that are not finite. That look is the one time in a step that a device is waited for.
    """
    steps = levels.steps
    denoiser.begin(steps.skipped, steps)
    for moment in sample(request.sampler, denoiser, latents, levels.sigmas, noise):
        if not torch.isfinite(moment.x).all():
            raise Overflow("Numbers overflowed in the UNet, so there is no picture to show. Try a lower guidance, or another sampler.")
        made = moment.index + 1
        denoiser.begin(steps.skipped + made, steps)
        yield Step(position.number * steps.run + made, position.count * steps.run, position.batch, position.batches, show(moment.x0))
        latents = moment.x
    return latents


def leg_of(batch: DrawingBatch[Drawing]) -> RunPosition:
    """The only run of a batch."""
    return RunPosition(batch.number, batch.request.batch_total)


def pictures(batch: DrawingBatch[Drawing], latents: Tensor, finish: Callable[[Image.Image], Image.Image] = lambda image: image) -> Events:
    """Decodes the latents of a batch, one picture after another. `finish`: makes of what is decoded the picture that is kept."""
    for place, (index, single) in enumerate(batch.indexed()):
        decoded = yield from decode(batch.model, latents[place : place + 1], way_of(single))
        yield batch.drawn(replace(decoded, image=finish(decoded.image)), index)


def show_whole(model: DiffusionModel) -> Show:
    return lambda x0: preview_of(model.preview, x0)


def latent_shape(request: Drawing, model: DiffusionModel) -> tuple[int, int, int]:
    scale = model.family.pixels_per_latent
    return model.family.latent_channels, request.height // scale, request.width // scale
