"""Image to image: a picture to latents, as much noise as the denoising strength says, and from there the same loop."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace

import torch
from PIL import Image
from torch import Tensor

from models.diffusion_model import DiffusionModel
from pipelines.denoising.vae_encode import encode
from pipelines.images.masking import RESIZE, crop
from pipelines.jobs.events import Picture
from pipelines.jobs.runner import Events
from pipelines.requests.request import Depth, ImageToImage
from pipelines.requests.steps import steps_of
from pipelines.requests.tiles import ONE_BY_ONE
from pipelines.tasks.batch import DrawingBatch, DrawingTask
from pipelines.tasks.conditioning import Denoisers, controls_of
from pipelines.tasks.sampling import latent_shape, leg_of, levels_of, noise_of, pictures, run, show_whole
from pipelines.tasks.tile_by_tile import TileDenoisers, redrawn

Over = ImageToImage | Depth


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
        return lambda batch: _tile_by_tile(batch, tiles)
    denoisers = Denoisers(task.request, task.model, controls_of(task), go_on=task.go_on)
    return lambda batch: draw(batch, denoisers)


def _tile_by_tile(batch: DrawingBatch[ImageToImage], tiles: TileDenoisers) -> Events:
    """The pictures of one batch go one after another: their tiles see different surroundings."""
    for place, (index, single) in enumerate(batch.indexed()):
        picture = _resized(batch.request, batch.inputs.open(single.image))
        yield None
        yield batch.drawn((yield from redrawn(batch, place, single, picture, tiles)), index)


def _from_the_round_before(single: ImageToImage, index: int, task: DrawingTask[ImageToImage]) -> ImageToImage:
    """With the picture that a later round begins with. A round that was skipped is passed over: what it began with goes on."""
    request, stored = task.request, task.progress.stored
    turn = index // request.batch_size % request.loops
    earlier = (index - back * request.batch_size for back in range(1, turn + 1))
    return replace(single, image=next((stored[known] for known in earlier if known in stored), single.image))


def _remembering(batch: DrawingBatch[ImageToImage], drawn: Callable[[DrawingBatch[ImageToImage]], Events]) -> Events:
    """Draws, and where another round follows, stores the finished pictures."""
    loops, stored = batch.request.loops, batch.task.progress.stored
    turn = batch.number % loops
    for index in [index for index in stored if index < (batch.number - turn) * batch.request.batch_size]:
        del stored[index]  # of a loopback that has come to its end
    for event in drawn(batch):
        if isinstance(event, Picture) and turn < loops - 1:
            stored[event.index] = batch.inputs.keep(event.image)
        yield event


def draw(batch: DrawingBatch[Over], denoisers: Denoisers) -> Events:
    """One batch. At strength 0 the picture comes back, at strength 1 nothing of it is left: that is text to image."""
    request, singles, model = batch.request, batch.singles, batch.model
    steps = steps_of(singles[0])
    if not steps.run:
        return (yield from _returned(batch))
    denoiser = denoisers.whole(
        [_resized(request, batch.inputs.open(single.image)) for single in singles] if denoisers.follow_picture else ()
    )
    yield None
    noise = noise_of(singles, latent_shape(request, model), model)
    levels = levels_of(request, denoiser.schedule, steps)
    latents = noise.first() * levels.sigmas[0]
    if singles[0].denoising_strength < 1:
        latents = latents + (yield from begin(batch))
    latents = yield from run(request, denoiser, latents, levels, noise, leg_of(batch), show_whole(model))
    yield from pictures(batch, latents)


def begin(batch: DrawingBatch[Over]) -> Generator[None, None, Tensor]:
    """The clean latents of the pictures, (n, 4, h, w); pictures that are the same are read once."""
    known: dict[str, Tensor] = {}
    for single in batch.singles:
        if single.image not in known:
            known[single.image] = yield from _latents(batch.request, batch.inputs.open(single.image), batch.model)
            yield None
    return torch.cat([known[single.image] for single in batch.singles])


def _latents(request: Over, image: Image.Image, model: DiffusionModel) -> Generator[None, None, Tensor]:
    size = request.width, request.height
    if request.resize_mode in RESIZE:
        return (yield from encode(model, RESIZE[request.resize_mode](image, size)))
    latents = yield from encode(model, _on_grid(image, model.family.pixels_per_latent))
    return torch.nn.functional.interpolate(latents, size=latent_shape(request, model)[1:], mode="bilinear")


def _on_grid(image: Image.Image, side: int) -> Image.Image:
    """The sides as multiples of what makes one latent, by a few pixels cut off, or one column or row of a tiny picture repeated."""
    return crop(image, (max(side, image.width // side * side), max(side, image.height // side * side)))


def _returned(batch: DrawingBatch[Over]) -> Events:
    """The pictures at their new size."""
    for index, single in batch.indexed():
        yield batch.returned(_resized(batch.request, batch.inputs.open(single.image)), index)


def _resized(request: Over, image: Image.Image) -> Image.Image:
    """Where latents are not needed, "Stretch latents" is a plain stretch."""
    return RESIZE.get(request.resize_mode, RESIZE["Stretch"])(image, (request.width, request.height))
