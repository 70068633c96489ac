"""The second pass ("hires fix"): a finished picture is enlarged, then drawn over at its new size: image to image with all its steps.

With a filter or an upscaler the pixels are enlarged: the result is, bit for bit, image to image of the enlarged picture. A latent mode
encodes the picture and draws its latents out; of a finished picture there are no other ones left than those that the VAE reads off it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from PIL import Image

from models.diffusion_model import DiffusionModel
from pipelines.denoising.vae_encode import encode
from pipelines.images.masking import crop
from pipelines.jobs.events import Event, Step, retold
from pipelines.jobs.runner import Events
from pipelines.requests.request import FromPicture, SecondPass
from pipelines.requests.second_pass import Size, Target
from pipelines.requests.tiles import one_by_one
from pipelines.tasks.batch import DrawingBatch, DrawingTask
from pipelines.tasks.conditioning import Denoisers, controls_of
from pipelines.tasks.enlarge import FILTERS, resized
from pipelines.tasks.img2img import Latents, on_grid, over
from pipelines.tasks.tile_by_tile import TileDenoisers, in_tiles
from pipelines.tasks.upscaling import Upscaled, upscaled

# Latent mode -> how torch draws the latents out (A1111 1.10, modules/shared.py `latent_upscale_modes`).
# Any: keywords of torch.nn.functional.interpolate
LATENT: Mapping[str, Mapping[str, Any]] = {
    "Latent": {"mode": "bilinear"},
    "Latent (antialiased)": {"mode": "bilinear", "antialias": True},
    "Latent (bicubic)": {"mode": "bicubic"},
    "Latent (bicubic antialiased)": {"mode": "bicubic", "antialias": True},
    "Latent (nearest)": {"mode": "nearest"},
    "Latent (nearest-exact)": {"mode": "nearest-exact"},
}
ENLARGING = "Enlarging"
SEEN = "Bilinear"  # the filter for what looks at pixels where a latent mode is chosen: control units, and strength 0


def batches(task: DrawingTask[SecondPass]) -> Generator[Events]:
    """The picture is enlarged once for all batches."""
    drawn, begun = _way(task), list[Enlarged]()
    for batch in task.batches():
        yield _batch(batch, drawn, begun)


Drawn = Callable[[DrawingBatch[SecondPass], "Enlarged"], Events]


def _way(task: DrawingTask[SecondPass]) -> Drawn:
    """How a batch is drawn over: at once, or tile by tile."""
    if one_by_one(task.request):
        tiles = TileDenoisers(task)
        return lambda batch, begun: in_tiles(batch, begun, tiles)
    denoisers = Denoisers(task.request, task.model, controls_of(task), go_on=task.go_on, inputs=task.inputs)
    return lambda batch, begun: over(batch, denoisers, begun)


def _batch(batch: DrawingBatch[SecondPass], drawn: Drawn, begun: list[Enlarged]) -> Events:
    """The tile that was used becomes part of the request: so it makes the same picture again."""
    if not begun:
        begun.append((yield from retold(enlarged(batch.task), lambda event: _of(batch, event))))
    singles = [replace(single, hires_tile=begun[0].tile) for single in batch.singles]
    yield from drawn(replace(batch, singles=singles), begun[0])


def _of(batch: DrawingBatch[SecondPass], event: Event | None) -> Event | None:
    """Work on what all batches share, told as that of the batch for which it is done."""
    return replace(event, batch=batch.number, batches=batch.request.batch_total) if isinstance(event, Step) else event


@dataclass(frozen=True)
class Enlarged:
    """One picture at the size that is drawn."""

    request: SecondPass
    picture: Image.Image  # as it was
    pixels: Image.Image
    tile: int  # pixels of a side that an upscaler saw at once; 0 without one
    target: Target
    model: DiffusionModel

    def image(self, single: FromPicture) -> Image.Image:
        return self.pixels

    def latents(self, single: FromPicture) -> Latents:
        if not self.request.is_latent:
            return (yield from encode(self.model, self.pixels))
        side = self.model.family.latent.pixels
        read = yield from encode(self.model, on_grid(self.picture, side))
        wide, high = (length // side for length in self.target.enlarged)
        drawn_out = torch.nn.functional.interpolate(read, size=(high, wide), **LATENT[self.request.hires_upscaler])
        (left, top), (width, height) = self.target.cut, self.target.size
        return drawn_out[:, :, top : top + height // side, left : left + width // side]


def enlarged(task: DrawingTask[SecondPass]) -> Generator[Event | None, None, Enlarged]:
    """The picture at its new size, with what stands out cut off."""
    picture = task.inputs.open(task.request.image)
    target = task.request.target(picture.size)
    made = yield from _pixels(picture, target.enlarged, task)
    return Enlarged(task.request, picture, crop(made.image.crop(target.box), target.size), made.tile, target, task.model)


def _pixels(picture: Image.Image, size: Size, task: DrawingTask[SecondPass]) -> Generator[Event | None, None, Upscaled]:
    """The whole picture at this size. Here, and nowhere else, an upscaler takes the place of the filter."""
    request, lender = task.request, task.lender
    if not request.upscaler:
        way = FILTERS[SEEN if request.is_latent else request.hires_upscaler]
        return Upscaled((yield from retold(resized(picture, size, way), _quietly)), 0)
    yield Step(0, 1, 0, 1, before=ENLARGING)
    with lender.upscaler(request.upscaler) as network:
        return (yield from retold(upscaled(network, picture, size, request.hires_tile, make_room=lender.make_room), _before))


def _quietly(step: object) -> None:
    """A place to stop; a filter is done before there is anything to tell."""


def _before(step: Step | None) -> Step | None:
    return replace(step, before=ENLARGING) if step else None
