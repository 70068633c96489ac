"""Details: parts of a picture drawn anew one after another, each as an inpainting that sees what the ones before it have become."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from PIL import Image

from models.diffusion_model import DiffusionModel
from pipelines.denoising.vae_decode import Decoded, decode, way_of
from pipelines.details.parts import Part, parts_of
from pipelines.jobs.events import Event, among, retold
from pipelines.jobs.runner import Events
from pipelines.requests.as_made import DecodeUse
from pipelines.requests.request import Details, Inpaint
from pipelines.requests.steps import steps_of
from pipelines.tasks.batch import DrawingBatch, DrawingTask
from pipelines.tasks.conditioning import Denoisers, controls_of
from pipelines.tasks.inpaint import paint, patch_of, prepare, show_in
from pipelines.tasks.sampling import RunPosition, latent_shape, leg_of, noise_of


def batches(task: DrawingTask[Details]) -> Generator[Events]:
    request = task.request
    picture = task.inputs.open(request.image)
    painted = task.inputs.open(request.mask, "L") if request.mask else None
    prompts = Prompts(task)
    for batch in task.batches():
        yield _batch(batch, picture, painted, prompts)


class Prompts:
    """The denoisers of each prompt, which is encoded once however many boxes have it. The maps of control units are made once for all."""

    def __init__(self, task: DrawingTask[Details]) -> None:
        self._task = task
        self._controls = controls_of(task)
        self._known: dict[str, Denoisers] = {}

    def of(self, asked: Inpaint) -> Denoisers:
        if asked.prompt not in self._known:
            task = self._task
            self._known[asked.prompt] = Denoisers(asked, task.model, self._controls, go_on=task.go_on, inputs=task.inputs)
        return self._known[asked.prompt]


def _batch(batch: DrawingBatch[Details], picture: Image.Image, painted: Image.Image | None, prompts: Prompts) -> Events:
    """The pictures of one batch go one after another: what their boxes see differs after the first one."""
    for index, single in batch.indexed():
        parts = [part for part in parts_of(single, picture.size, painted) if steps_of(part.asked).run]
        if not parts:
            yield batch.returned(picture.copy(), index)
        else:
            yield batch.drawn((yield from _redrawn(batch, index, single, picture, parts, prompts)), index)


def _redrawn(
    batch: DrawingBatch[Details], index: int, single: Details, picture: Image.Image, parts: list[Part], prompts: Prompts
) -> Generator[Event | None, None, Decoded]:
    """One picture, part by part, with the VAE's way in each of them. Between two of them it can be stopped."""
    ways: tuple[DecodeUse, ...] = ()
    lengths = [steps_of(part.asked).run for part in parts]
    before = index % batch.request.pictures_a_batch * sum(lengths)
    for turn, (part, length) in enumerate(zip(parts, lengths, strict=True)):
        position = leg_of(batch, leg=turn, picture=index)
        work = _painted(batch.model, part, picture, prompts.of(part.asked), way_of(single, turn), position)
        decoded = yield from retold(work, among(before, batch.request.pictures_a_batch * sum(lengths)))
        ways, picture, before = ways + decoded.ways, decoded.image, before + length
    return Decoded(picture, ways)


def _painted(
    model: DiffusionModel, part: Part, picture: Image.Image, denoisers: Denoisers, way: DecodeUse, position: RunPosition
) -> Generator[Event | None, None, Decoded]:
    """The whole picture with this part drawn anew."""
    asked = part.asked
    patch = patch_of(asked, picture, part.mask)
    prepared = yield from prepare(model, asked, patch, asked.masked_content, denoisers)
    yield None
    noise = noise_of([asked], latent_shape(asked, model), model)
    latents = yield from paint(asked, prepared, asked.masked_content, steps_of(asked), noise, position, show_in(model, patch))
    decoded = yield from decode(model, latents, way)
    return replace(decoded, image=patch.put_back(decoded.image))
