"""Tile by tile: a large picture is drawn over part by part, each an inpainting that sees its neighbours as they are by then.

The way of "Ultimate SD upscale": a grid of tiles, all from one seed, and if asked for, a pass over the seams between them.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Protocol

from PIL import Image

from pipelines.control.units import Controls
from pipelines.denoising.vae_decode import Decoded, decode, way_of
from pipelines.images.masking import Patch, Size
from pipelines.images.tiles import asked_of, mask_of, parts
from pipelines.jobs.events import Event, among, retold
from pipelines.jobs.runner import Events
from pipelines.requests.as_made import DecodeUse
from pipelines.requests.request import FromPicture
from pipelines.requests.steps import steps_of
from pipelines.requests.tiles import InTiles
from pipelines.tasks.batch import DrawingBatch, DrawingTask
from pipelines.tasks.conditioning import Denoisers, controls_of
from pipelines.tasks.inpaint import paint, prepare, show_in
from pipelines.tasks.sampling import latent_shape, leg_of, noise_of


class TileDenoisers:
    """The denoisers of one request's parts: what they are told differs with the size of a part alone."""

    def __init__(self, task: DrawingTask[FromPicture]) -> None:
        self._task = task
        self._controls: Controls = controls_of(task)
        self._known: dict[Size, Denoisers] = {}

    def of(self, single: FromPicture) -> Denoisers:
        """`single`: what a part is drawn by."""
        size = single.width, single.height
        if size not in self._known:
            task = self._task
            self._known[size] = Denoisers(single, task.model, self._controls, go_on=task.go_on, inputs=task.inputs)
        return self._known[size]


class Images(Protocol):
    """The picture that each of a batch begins with, at the size that is drawn."""

    def image(self, single: FromPicture) -> Image.Image: ...


def in_tiles(batch: DrawingBatch[FromPicture], begins: Images, denoisers: TileDenoisers) -> Events:
    """The pictures of one batch go one after another: their tiles see different surroundings."""
    for place, (index, single) in enumerate(batch.indexed()):
        picture = begins.image(single)
        yield None
        yield batch.drawn((yield from redrawn(batch, place, index, single, picture, denoisers)), index)


def redrawn(
    batch: DrawingBatch[FromPicture], place: int, index: int, single: FromPicture, picture: Image.Image, denoisers: TileDenoisers
) -> Generator[Event | None, None, Decoded]:
    """One picture, with the VAE's way in each of its parts. `single`: with the fields of `InTiles`. `picture`: at the size of the
    request. `place`: within the batch; `index`: within the job.
    """
    assert isinstance(single, InTiles), "only such a request says which tiles there are"
    found = [(part, asked_of(single, part)) for part in parts(single, picture.size)]
    total = sum(steps_of(asked).run for _, asked in found)
    done, ways = place * total, tuple[DecodeUse, ...]()
    model = batch.model
    for leg, (part, asked) in enumerate(found):
        steps = steps_of(asked)
        if not steps.run:
            continue
        patch = Patch(picture, mask_of(part, picture.size, single.tile_blur), part.box, part.size)
        prepared = yield from prepare(model, asked, patch, "Original", denoisers.of(asked))
        noise = noise_of([asked], latent_shape(asked, model), model)
        position = leg_of(batch, leg=leg, picture=index)
        drawing = paint(asked, prepared, "Original", steps, noise, position, show_in(model, patch))
        latents = yield from retold(drawing, among(done, total * len(batch.singles)))
        decoded = yield from decode(model, latents, way_of(single, len(ways)))
        picture, ways, done = patch.put_back(decoded.image), ways + decoded.ways, done + steps.run
        yield None
    return Decoded(picture, ways)
