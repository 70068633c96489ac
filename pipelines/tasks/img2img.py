"""Image to image: a picture to latents, as much noise as the denoising strength says, and from there the same loop."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from PIL import Image
from torch import Tensor

from models.diffusion_model import DiffusionModel
from pipelines.denoising.vae_encode import encode
from pipelines.images.masking import RESIZE, crop
from pipelines.images.store import Inputs
from pipelines.jobs.events import Picture
from pipelines.jobs.runner import Events
from pipelines.metadata.source_of import source_of
from pipelines.requests.request import Depth, FromPicture, ImageToImage
from pipelines.requests.steps import steps_of
from pipelines.requests.tiles import ONE_BY_ONE
from pipelines.tasks.batch import DrawingBatch, DrawingTask
from pipelines.tasks.conditioning import Denoisers, controls_of
from pipelines.tasks.sampling import latent_shape, leg_of, levels_of, noise_of, pictures, run, show_whole
from pipelines.tasks.tile_by_tile import Images, TileDenoisers, in_tiles

Over = ImageToImage | Depth
Latents = Generator[None, None, Tensor]  # (1, 4, h, w), clean


class Beginnings(Images, Protocol):
    """What each picture of a batch begins with, at the size that is drawn."""

    def latents(self, single: FromPicture) -> Latents: ...


def batches(task: DrawingTask[ImageToImage]) -> Generator[Events]:
    """A loopback round begins with the pictures of the round before, which are stored for it."""
    drawn = _way(task)
    for batch in task.batches():
        singles = [_from_the_round_before(single, index, task) for index, single in batch.indexed()]
        yield _remembering(replace(batch, singles=singles), drawn)


def _way(task: DrawingTask[ImageToImage]) -> Callable[[DrawingBatch[ImageToImage]], Events]:
    """How a batch is drawn: at once, or tile by tile."""
    if task.request.tiling == ONE_BY_ONE:
        tiles = TileDenoisers(task)
        return lambda batch: in_tiles(batch, Resized(batch.request, batch.inputs, batch.model), tiles)
    denoisers = Denoisers(task.request, task.model, controls_of(task), go_on=task.go_on, inputs=task.inputs)
    return lambda batch: draw(batch, denoisers)


def _from_the_round_before(single: ImageToImage, index: int, task: DrawingTask[ImageToImage]) -> ImageToImage:
    """With the picture that a later round begins with. A round that was skipped is passed over: what it began with goes on."""
    request, stored = task.request, task.progress.stored
    turn = index // request.pictures_a_batch % request.loops
    earlier = (index - back * request.pictures_a_batch for back in range(1, turn + 1))
    return replace(single, image=next((stored[known] for known in earlier if known in stored), single.image))


def _remembering(batch: DrawingBatch[ImageToImage], drawn: Callable[[DrawingBatch[ImageToImage]], Events]) -> Events:
    """Draws, and where another round follows, stores the finished pictures."""
    loops, stored = batch.request.loops, batch.task.progress.stored
    turn = batch.number % loops
    for index in [index for index in stored if index < (batch.number - turn) * batch.request.pictures_a_batch]:
        del stored[index]  # of a loopback that has come to its end
    for event in drawn(batch):
        if isinstance(event, Picture) and turn < loops - 1:
            stored[event.index] = batch.inputs.keep(event.image, source_of(event.request, batch.inputs.source))
        yield event


def draw(batch: DrawingBatch[Over], denoisers: Denoisers) -> Events:
    """One batch, over the pictures of the request."""
    return over(batch, denoisers, Resized(batch.request, batch.inputs, batch.model))


def over(batch: DrawingBatch[FromPicture], denoisers: Denoisers, begins: Beginnings) -> Events:
    """One batch. At strength 0 the picture comes back, at strength 1 nothing of it is left: that is text to image."""
    request, singles, model = batch.request, batch.singles, batch.model
    steps = steps_of(singles[0])
    if not steps.run:
        for index, single in batch.indexed():
            yield batch.returned(begins.image(single), index)
        return
    denoiser = denoisers.whole([begins.image(single) for single in singles] if denoisers.follow_picture else ())
    yield None
    noise = noise_of(singles, latent_shape(request, model), model)
    levels = levels_of(request, denoiser.schedule, steps)
    first, clean = noise.first(), (yield from begin(singles, begins)) if singles[0].denoising_strength < 1 else None
    latents = denoiser.schedule.prediction.noised(first, levels.sigmas[0], clean)
    latents = yield from run(request, denoiser, latents, levels, noise, leg_of(batch), show_whole(model))
    yield from pictures(batch, latents)


def begin(singles: Sequence[FromPicture], begins: Beginnings) -> Latents:
    """The clean latents of the pictures, (n, 4, h, w); pictures that are the same are read once."""
    known: dict[str, Tensor] = {}
    for single in singles:
        if single.image not in known:
            known[single.image] = yield from begins.latents(single)
            yield None
    return torch.cat([known[single.image] for single in singles])


@dataclass(frozen=True)
class Resized:
    """The pictures of a request in its size, in the way that it names."""

    request: Over
    inputs: Inputs
    model: DiffusionModel

    def image(self, single: FromPicture) -> Image.Image:
        """Where latents are not needed, "Stretch latents" is a plain stretch."""
        resize = RESIZE.get(self.request.resize_mode, RESIZE["Stretch"])
        return resize(self.inputs.open(single.image), (self.request.width, self.request.height))

    def latents(self, single: FromPicture) -> Latents:
        if self.request.resize_mode in RESIZE:
            return (yield from encode(self.model, self.image(single)))
        latents = yield from encode(self.model, on_grid(self.inputs.open(single.image), self.model.family.latent.pixels))
        return torch.nn.functional.interpolate(latents, size=latent_shape(self.request, self.model)[1:], mode="bilinear")


def on_grid(image: Image.Image, side: int) -> Image.Image:
    """The sides as multiples of what makes one latent, by a few pixels cut off, or one column or row of a tiny picture repeated."""
    return crop(image, (max(side, image.width // side * side), max(side, image.height // side * side)))
