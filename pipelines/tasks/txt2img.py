"""Text to image: noise, a prompt, and the loop between them."""

from __future__ import annotations

from collections.abc import Generator

from models.loading.loading import DiffusionModel
from pipelines.control.units import Controls
from pipelines.control.view import NO_LENDER, Lender
from pipelines.denoising.denoiser import Guide
from pipelines.images.store import Inputs
from pipelines.jobs.events import Event
from pipelines.jobs.runner import Batch
from pipelines.requests.request import Controlled, Request, TextToImage
from pipelines.requests.steps import steps_of
from pipelines.tasks.conditioning import Guides
from pipelines.tasks.remaining import Due, Progress, due
from pipelines.tasks.sampling import Leg, course_of, latent_shape, noise_of, pictures, run, show_whole


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
    guide = Guides(request, model, Controls(request, model, inputs, lender) if inputs else None).whole()
    for batch in due(request, progress):
        yield draw(request, batch, model, guide)


def draw(request: Request, batch: Due[Request], model: DiffusionModel, guide: Guide) -> Generator[Event | None]:
    """One batch: noise, steps, pictures."""
    noise = noise_of(batch.singles, latent_shape(request, model), model)
    course = course_of(request, guide.schedule, steps_of(request))
    leg = Leg(batch.number, request.batch_total)
    latents = yield from run(request, guide, noise.first() * course.sigmas[0], course, noise, leg, show_whole(model))
    yield from pictures(request, batch, model, latents)
