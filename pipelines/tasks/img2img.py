"""Image to image: a picture to latents, as much noise as the denoising strength says, and from there the same loop."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from models.diffusion_model import DiffusionModel
from pipelines.control.units import Controls
from pipelines.control.view import NO_LENDER, Lender
from pipelines.denoising.vae_encode import encode
from pipelines.images.masking import RESIZE, crop
from pipelines.images.store import Inputs
from pipelines.jobs.events import Event, Picture
from pipelines.jobs.runner import Batch
from pipelines.requests.request import Depth, ImageToImage
from pipelines.requests.steps import steps_of
from pipelines.tasks.conditioning import Denoisers
from pipelines.tasks.remaining import Due, Progress, due
from pipelines.tasks.sampling import RunPosition, latent_shape, levels_of, noise_of, pictures, run, show_whole

Over = ImageToImage | Depth
SIDE = 8  # pixels: what the VAE makes one latent of


def batches(
    request: ImageToImage, model: DiffusionModel, inputs: Inputs, lender: Lender = NO_LENDER, progress: Progress | None = None
) -> Generator[Batch]:
    """One iterator of events a batch. A loopback round begins with the pictures of the round before, which are stored for it."""
    denoisers = Denoisers(request, model, Controls(request, model, inputs, lender))
    progress = progress or Progress()
    for batch in due(request, progress):
        singles = [_from_the_round_before(single, index, request, progress) for index, single in batch.indexed()]
        yield _remembering(request, replace(batch, singles=singles), model, denoisers, inputs, progress)


def _from_the_round_before(single: ImageToImage, index: int, request: ImageToImage, progress: Progress) -> ImageToImage:
    """With the picture that a later round begins with. A round that was skipped is passed over: what it began with goes on."""
    turn = index // request.batch_size % request.loops
    earlier = (index - back * request.batch_size for back in range(1, turn + 1))
    return replace(single, image=next((progress.stored[known] for known in earlier if known in progress.stored), single.image))


def _remembering(
    request: ImageToImage, batch: Due[ImageToImage], model: DiffusionModel, denoisers: Denoisers, inputs: Inputs, progress: Progress
) -> Batch:
    """Draws, and where another round follows, stores the finished pictures."""
    last = batch.number % request.loops == request.loops - 1
    for event in draw(request, batch, model, denoisers, inputs):
        if isinstance(event, Picture) and not last:
            progress.stored[event.index] = inputs.keep(event.image)
        yield event


def draw(request: Over, batch: Due[Any], model: DiffusionModel, denoisers: Denoisers, inputs: Inputs) -> Generator[Event | None]:
    """One batch. At strength 0 the picture comes back, at strength 1 nothing of it is left: that is text to image."""
    singles = batch.singles
    steps = steps_of(singles[0])
    if not steps.run:
        return (yield from _returned(request, batch, model, inputs))
    denoiser = denoisers.whole([_resized(request, inputs.open(single.image)) for single in singles] if denoisers.follow_picture else ())
    yield None
    noise = noise_of(singles, latent_shape(request, model), model)
    levels = levels_of(request, denoiser.schedule, steps)
    latents = noise.first() * levels.sigmas[0]
    if singles[0].denoising_strength < 1:
        latents = latents + (yield from begin(request, singles, model, inputs))
    latents = yield from run(request, denoiser, latents, levels, noise, RunPosition(batch.number, request.batch_total), show_whole(model))
    yield from pictures(request, batch, model, latents)


def begin(request: Over, singles: Sequence[Over], model: DiffusionModel, inputs: Inputs) -> Generator[None, None, Tensor]:
    """The clean latents of the pictures, (n, 4, h, w); pictures that are the same are read once."""
    known: dict[str, Tensor] = {}
    for single in singles:
        if single.image not in known:
            known[single.image] = yield from _latents(request, inputs.open(single.image), model)
            yield None
    return torch.cat([known[single.image] for single in singles])


def _latents(request: Over, image: Image.Image, model: DiffusionModel) -> Generator[None, None, Tensor]:
    size = request.width, request.height
    if request.resize_mode in RESIZE:
        return (yield from encode(model, RESIZE[request.resize_mode](image, size)))
    latents = yield from encode(model, _on_grid(image))
    return torch.nn.functional.interpolate(latents, size=latent_shape(request, model)[1:], mode="bilinear")


def _on_grid(image: Image.Image) -> Image.Image:
    """The sides as multiples of 8, by at most seven pixels cut off, or one column or row of a tiny picture repeated."""
    return crop(image, (max(SIDE, image.width // SIDE * SIDE), max(SIDE, image.height // SIDE * SIDE)))


def _returned(request: Over, batch: Due[Any], model: DiffusionModel, inputs: Inputs) -> Generator[Event | None]:
    """The pictures at their new size."""
    for index, single in batch.indexed():
        image = _resized(request, inputs.open(single.image))
        yield Picture(image, single, dict(model.made_with), index, request.picture_count)


def _resized(request: Over, image: Image.Image) -> Image.Image:
    """Where latents are not needed, "Stretch latents" is a plain stretch."""
    return RESIZE.get(request.resize_mode, RESIZE["Stretch"])(image, (request.width, request.height))
