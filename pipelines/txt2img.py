"""Text to image: noise, a prompt, and the loop between them."""

from __future__ import annotations

from collections.abc import Generator

from models.loading import DiffusionModel
from pipelines.conditioning import relay
from pipelines.decode import decode
from pipelines.denoise import Relay
from pipelines.engine import Batch
from pipelines.events import Event, Picture, Step
from pipelines.preview import preview_of
from pipelines.request import TextToImage, unroll
from pipelines.samplers import plan, sample
from pipelines.samplers.noise import ImageNoise


def batches(request: TextToImage, model: DiffusionModel) -> Generator[Batch]:
    """One iterator of events a batch; the text is encoded once for all of them."""
    denoise = relay(request, model)
    singles = unroll(request)
    for number in range(request.batch_count):
        own = singles[number * request.batch_size : (number + 1) * request.batch_size]
        yield draw(request, own, number, model, denoise)


def draw(request: TextToImage, singles: list[TextToImage], number: int, model: DiffusionModel, denoise: Relay) -> Generator[Event | None]:
    """One batch: noise, steps, pictures. `singles` are the requests of its pictures, each with its own seed."""
    noise = ImageNoise([single.seed for single in singles], latent_shape(request, model), model.device.torch_device)
    sigmas = plan(request.sampler, request.schedule, request.steps, denoise.schedule)
    latents = noise.first() * sigmas[0]
    denoise.begin(0, request.steps)
    for moment in sample(request.sampler, denoise, latents, sigmas, noise):
        denoise.begin(moment.index + 1, request.steps)
        yield Step(moment.index + 1, request.steps, number, request.batch_count, preview_of(model.preview, moment.x0))
        latents = moment.x
    for place, single in enumerate(singles):
        decoded = yield from decode(model, latents[place : place + 1])
        made_with = {**model.made_with, **decoded.notes}
        yield Picture(decoded.image, single, made_with, number * request.batch_size + place, request.picture_count)


def latent_shape(request: TextToImage, model: DiffusionModel) -> tuple[int, int, int]:
    scale = model.family.pixels_per_latent
    return model.family.latent_channels, request.height // scale, request.width // scale
