"""Turn: a thing on a picture, seen from elsewhere. It is set on white and looked at together with where it shall be seen from; then all
views begin with one noise and are drawn as one batch, and become pictures, a sheet or a loop.
A model of walks draws all frames together (`walk.py`).
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from PIL import Image
from torch import Tensor

from models.diffusion_model import DiffusionModel
from models.families import SD1
from models.memory.forecast import Work
from pipelines.control.view import Lender
from pipelines.denoising.turning import View, conditioning, seen_in, turning_denoiser
from pipelines.denoising.vae_decode import Decoded, decode
from pipelines.images.set_on_white import thing_of
from pipelines.jobs.events import Event, Step, retold
from pipelines.jobs.runner import Events
from pipelines.requests.request import Turn
from pipelines.requests.steps import steps_of
from pipelines.requests.turn import ELEVATION, LOOP, WALK
from pipelines.samplers.noise import ImageNoise
from pipelines.tasks import walk
from pipelines.tasks.sampling import RunPosition, leg_of, levels_of, run
from pipelines.tasks.sheet import sheet_of
from pipelines.tasks.walk import shown_as, walked
from pipelines.tasks.wordless import WordlessBatch, WordlessTask


def batches(task: WordlessTask[Turn]) -> Generator[Events]:
    for batch in task.batches():
        yield _batch(batch)


def _batch(batch: WordlessBatch[Turn]) -> Events:
    request, lender = batch.request, batch.task.lender
    views, thing = request.shown, thing_of(request, batch.inputs)
    yield None
    if request.convention == WALK:
        yield from walked(batch, thing)
        return
    with lender.pose_reader(request.checkpoint) as reader:
        seen = seen_in(reader, thing, [_view(each) for each in views], _own_elevation(request))
    yield None
    with lender.turning(request.checkpoint, work_of(request), batch.task.sparing) as model:
        latents = yield from _sampled(batch, model, seen, thing)
        yield from _gathered(batch, model, latents)


def work_of(request: Turn) -> Work:
    """In the terms that decide over memory, beside the weights: the UNet is Stable Diffusion 1's."""
    return Work(SD1.key, 0, request.side, request.side, request.views, request.is_guided)


def _view(request: Turn) -> View:
    return View(request.azimuth, request.elevation, request.distance)


def _own_elevation(request: Turn) -> float | None:
    return request.picture_elevation if request.convention == ELEVATION else None


def _sampled(batch: WordlessBatch[Turn], model: DiffusionModel, seen: Tensor, thing: Image.Image) -> Generator[Event | None, None, Tensor]:
    """Clean latents, (views, channels, h, w)."""
    request, latent = batch.request, model.family.latent
    denoiser = turning_denoiser(model, conditioning(model, seen, thing, request.guidance_scale), batch.task.go_on)
    shape = latent.channels, request.side // latent.pixels, request.side // latent.pixels
    noise = ImageNoise([request.seed] * request.views, shape, model.device.torch_device)
    levels = levels_of(request, denoiser.schedule, steps_of(request))
    first = denoiser.schedule.prediction.noised(noise.first(), levels.sigmas[0])
    is_each = [single.views for single in batch.singles] == [1] * request.views  # so the steps of each can be kept
    position = leg_of(batch) if is_each else RunPosition(batch.number, request.batch_total, pictures=())
    drawn = run(request, denoiser, first, levels, noise, position, shown_as(request, model))
    return (yield from drawn if is_each else retold(drawn, _unkept))


def _unkept(event: Event | None) -> Event | None:
    """Views that become one picture, or of which some are there already, have no steps that one could go on from."""
    return replace(event, state=None) if isinstance(event, Step) else event


def _gathered(batch: WordlessBatch[Turn], model: DiffusionModel, latents: Tensor) -> Events:
    """The pictures that are due. A sheet and a loop are made of all views."""
    made: dict[int, Decoded] = {}
    for index, single in batch.indexed():
        for place in [index] if single.views == 1 else range(len(latents)):
            if place not in made:
                made[place] = yield from decode(model, latents[place : place + 1])
        if single.views == 1:
            yield batch.picture(made[index].image, index, made[index].notes)
            continue
        images = [made[place].image for place in range(len(latents))]
        notes = {key: note for each in made.values() for key, note in each.notes.items()}
        moves = single.gathered == LOOP
        yield batch.picture(images[0] if moves else sheet_of(images), index, notes, frames=images if moves else (), latents=latents)


def decoded_again(request: Turn, latents: Tensor, lender: Lender) -> Generator[None, None, tuple[Image.Image, ...]]:
    """As `walk.decoded_again`, each view by itself."""
    if request.convention == WALK:
        return (yield from walk.decoded_again(request, latents, lender))
    with lender.turning(request.checkpoint, work_of(request)) as model:
        there = latents.to(model.device.torch_device)
        images: list[Image.Image] = []
        for place in range(len(there)):
            images.append((yield from decode(model, there[place : place + 1])).image)
    return tuple(images)
