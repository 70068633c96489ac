"""Text to image: noise, a prompt, and the loop between them."""

from __future__ import annotations

from collections.abc import Generator

from models.diffusion_model import DiffusionModel
from pipelines.control.units import Controls
from pipelines.control.view import NO_LENDER, Lender
from pipelines.denoising.denoiser import SteppedDenoiser
from pipelines.images.store import Inputs
from pipelines.jobs.events import Event
from pipelines.jobs.runner import Batch
from pipelines.requests.request import Controlled, Request, TextToImage
from pipelines.requests.steps import steps_of
from pipelines.tasks.conditioning import Denoisers
from pipelines.tasks.remaining import Due, Progress, due
from pipelines.tasks.sampling import RunPosition, latent_shape, levels_of, noise_of, pictures, run, show_whole


def batches(
    request: TextToImage | Controlled,
    model: DiffusionModel,
    inputs: Inputs | None = None,
    lender: Lender = NO_LENDER,
    progress: Progress | None = None,
) -> Generator[Batch]:
    """One iterator of events a batch; the text is encoded once for all of them. `inputs`: for the pictures of control units.

    `progress`: where it begins, if not with the first picture.
    """
    denoiser = Denoisers(request, model, Controls(request, model, inputs, lender) if inputs else None).whole()
    for batch in due(request, progress):
        yield draw(request, batch, model, denoiser)


def draw(request: Request, batch: Due[Request], model: DiffusionModel, denoiser: SteppedDenoiser) -> Generator[Event | None]:
    """One batch: noise, steps, pictures."""
    noise = noise_of(batch.singles, latent_shape(request, model), model)
    levels = levels_of(request, denoiser.schedule, steps_of(request))
    position = RunPosition(batch.number, request.batch_total)
    latents = yield from run(request, denoiser, noise.first() * levels.sigmas[0], levels, noise, position, show_whole(model))
    yield from pictures(request, batch, model, latents)
