"""Sampling, from noise to a picture: from which noise level, over which, and what is told at every step. The same for every recipe."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial

import torch
from PIL import Image
from torch import Tensor

from models.diffusion_model import DiffusionModel
from models.errors import Overflow
from models.memory.device import sent
from pipelines.denoising.preview import preview_of
from pipelines.denoising.stepped import SteppedDenoiser
from pipelines.denoising.vae_decode import decode, way_of
from pipelines.jobs.events import Event, Step
from pipelines.jobs.runner import Events
from pipelines.requests.request import Drawing, Wordless
from pipelines.requests.sampling import sampler_options, schedule_options
from pipelines.requests.steps import Steps
from pipelines.samplers import plan, sample
from pipelines.samplers.moment import Moment
from pipelines.samplers.noise import ImageNoise, Variation
from pipelines.samplers.noise_schedule import NoiseSchedule
from pipelines.steps.begun import NOT_BEGUN, Begun
from pipelines.steps.state import Numbers, StepState
from pipelines.tasks.batch import DrawingBatch
from pipelines.tasks.wordless import WordlessBatch

Show = Callable[[Tensor], Callable[[], bytes]]  # x0 (n, 4, h, w) -> a call that makes its small picture


@dataclass(frozen=True)
class NoiseLevels:
    """The noise levels of one run."""

    sigmas: Tensor  # (steps that run + 1,), falling
    steps: Steps


@dataclass(frozen=True)
class RunPosition:
    """The position of one run among all that its batch needs (an outpainted picture takes several), and its batch among all.

    `leg`: which of the runs of its pictures it is. `pictures`: their indices within the job. `begun`: steps that are made already.
    """

    batch: int = 0
    batches: int = 1
    number: int = 0
    count: int = 1
    leg: int = 0
    pictures: tuple[int, ...] = (0,)
    begun: Begun = NOT_BEGUN

    def state(self, moment: Moment, count: int, gathered: Tensor | None = None) -> StepState:
        """A moment of this run of `count` steps as plain numbers."""
        remembered = tuple(None if each is moment.x0 else _numbers(each) for each in moment.remembered)
        numbers = _numbers(moment.x), _numbers(moment.x0), remembered
        return StepState(self.leg, moment.index, count, moment.sigma, moment.draws, *numbers, self.pictures, _kept(gathered))

    def start(self, device: torch.device) -> tuple[Moment | None, Tensor | None]:
        """The moment from which the run goes on, and what guidance has gathered until then; none: from its beginning."""
        state = self.begun.at(self.leg, self.pictures)
        if state is None:
            return None, None
        x, x0 = (_sent(each, device) for each in (state.x, state.x0))
        remembered = tuple(x0 if each is None else _sent(each, device) for each in state.remembered)
        gathered = None if state.gathered is None else _sent(state.gathered, device)
        return Moment(state.index, state.sigma, x0, x, remembered, state.draws), gathered


def levels_of(request: Drawing | Wordless, schedule: NoiseSchedule, steps: Steps) -> NoiseLevels:
    """Raises `UserError` when the schedule does not suit the sampler, or cannot be as it is told to."""
    planned = plan(request.sampler, request.schedule, steps.planned, schedule, schedule_options(request))
    return NoiseLevels(planned[steps.skipped :], steps)


def noise_of(singles: Sequence[Drawing], shape: tuple[int, ...], model: DiffusionModel, turn: int = 0) -> ImageNoise:
    """The noise of these pictures, each from its own seed. `turn` is added to all: one that is drawn in parts takes other noise in each."""
    strength = singles[0].variation_strength
    variation = Variation([single.variation_seed + turn for single in singles], strength) if strength > 0 else None
    return ImageNoise([single.seed + turn for single in singles], shape, model.device.torch_device, variation=variation)


def run(
    request: Drawing | Wordless,
    denoiser: SteppedDenoiser,
    latents: Tensor,
    levels: NoiseLevels,
    noise: ImageNoise,
    position: RunPosition,
    show: Show,
) -> Generator[Event | None, None, Tensor]:
    """Samples from `latents` (n, 4, h, w), of clips (n, frames, 4, h, w), noisy at the first level, or from where the run was begun, and
    returns the clean ones. Says every step.

    Raises `Overflow` when a step brings numbers that are not finite. That look is the one time in a step that a device is waited for.
    """
    steps, (start, gathered) = levels.steps, position.start(latents.device)
    if start and position.begun.is_shown(position.leg):
        return start.x0
    latents = start.x if start else latents
    denoiser.begin(steps.skipped + (start.index + 1 if start else 0), steps)
    denoiser.gathered = gathered
    for moment in sample(request.sampler, denoiser, latents, levels.sigmas, noise, sampler_options(request), start, denoiser.schedule):
        if not torch.isfinite(moment.x).all():
            raise Overflow("Numbers overflowed in the UNet, so there is no picture to show. Try a lower guidance, or another sampler.")
        made, gathered = moment.index + 1, denoiser.gathered
        denoiser.begin(steps.skipped + made, steps)
        index, count = position.number * steps.run + made, position.count * steps.run
        yield Step(
            index, count, position.batch, position.batches, show(moment.x0), state=partial(position.state, moment, steps.run, gathered)
        )
        latents = moment.x
    return latents


def leg_of(
    batch: DrawingBatch[Drawing] | WordlessBatch[Wordless], number: int = 0, count: int = 1, leg: int = 0, picture: int | None = None
) -> RunPosition:
    """A run of a batch: the only one, or the one of that number among so many. `picture`: the index of the one that it draws, if not of
    all.
    """
    pictures = tuple(index for index, _ in batch.indexed()) if picture is None else (picture,)
    return RunPosition(batch.number, batch.request.batch_total, number, count, leg, pictures, batch.task.begun)


def pictures(batch: DrawingBatch[Drawing], latents: Tensor, finish: Callable[[Image.Image], Image.Image] = lambda image: image) -> Events:
    """Decodes the latents of a batch, one picture after another. `finish`: makes of what is decoded the picture that is kept."""
    for place, (index, single) in enumerate(batch.indexed()):
        decoded = yield from decode(batch.model, latents[place : place + 1], way_of(single))
        yield batch.drawn(replace(decoded, image=finish(decoded.image)), index)


def _sent(numbers: Numbers, device: torch.device) -> Tensor:
    return sent(torch.as_tensor(numbers), device)


def _kept(latents: Tensor | None) -> Numbers | None:
    return None if latents is None else _numbers(latents)


def _numbers(latents: Tensor) -> Numbers:
    return latents.float().cpu().numpy()


def show_whole(model: DiffusionModel) -> Show:
    return lambda x0: preview_of(model.preview, x0)


def latent_shape(request: Drawing, model: DiffusionModel) -> tuple[int, int, int]:
    scale = model.family.latent.pixels
    return model.family.latent.channels, request.height // scale, request.width // scale
