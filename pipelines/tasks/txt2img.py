"""Text to image: noise, a prompt, and the loop between them."""

from __future__ import annotations

from collections.abc import Generator

from pipelines.denoising.stepped import SteppedDenoiser
from pipelines.jobs.runner import Events
from pipelines.requests.request import Controlled, Drawing, TextToImage
from pipelines.requests.steps import steps_of
from pipelines.tasks.batch import DrawingBatch, DrawingTask
from pipelines.tasks.conditioning import Denoisers, controls_of
from pipelines.tasks.sampling import Show, latent_shape, leg_of, levels_of, noise_of, pictures, run, show_whole


def batches(task: DrawingTask[TextToImage | Controlled]) -> Generator[Events]:
    """The text is encoded once for all batches."""
    denoiser = Denoisers(task.request, task.model, controls_of(task), go_on=task.go_on, inputs=task.inputs).whole()
    for batch in task.batches():
        yield draw(batch, denoiser)


def draw(batch: DrawingBatch[Drawing], denoiser: SteppedDenoiser, show: Show | None = None) -> Events:
    """One batch: noise, steps, pictures. `show`: of the predicted clean latents, where they are not shown as the model's usually are."""
    request = batch.request
    noise = noise_of(batch.singles, latent_shape(request, batch.model), batch.model)
    levels = levels_of(request, denoiser.schedule, steps_of(request))
    first = denoiser.schedule.prediction.noised(noise.first(), levels.sigmas[0])
    latents = yield from run(request, denoiser, first, levels, noise, leg_of(batch), show or show_whole(batch.model))
    yield from pictures(batch, latents)
