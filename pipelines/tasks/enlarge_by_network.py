"""Enlarging by one upscaler, or by two whose pictures are blended, and what the picture's record then says."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

import torch
from PIL import Image

from models.memory.device import threads
from models.upscalers.upscaler import Upscaler
from pipelines.jobs.events import Step, retold
from pipelines.jobs.runner import Events
from pipelines.requests.as_made import threads_here
from pipelines.requests.enlarge import THE_FILTER, Enlarge, Size
from pipelines.tasks.batch import Batch
from pipelines.tasks.enlarge import FILTERS, resized
from pipelines.tasks.upscaling import Upscaled, upscaled

Work = Generator[Step | None, None, Upscaled]


def enlarged(batch: Batch[Enlarge], picture: Image.Image, size: Size) -> Events:
    """The tile that was used, and the threads that added up sums, become part of the request: so it makes the same picture again."""
    with threads(threads_here(batch.request.threads)):
        made, is_on_a_processor = yield from _both(batch, picture, size)
        used = torch.get_num_threads() if is_on_a_processor else 0
    single = replace(batch.singles[0], upscaler_tile=made.tile, threads=used)
    yield batch.picture(made.image, batch.first, {}, single)


def _both(batch: Batch[Enlarge], picture: Image.Image, size: Size) -> Generator[Step | None, None, tuple[Upscaled, bool]]:
    """Both with the same tile: where the second had to do with a smaller one, the first is made once more."""
    request = batch.request
    with batch.task.lender.upscaler(request.upscaler) as network:
        made = yield from _told(_one(batch, network, picture, size, request.upscaler_tile), 0, 1 + bool(request.second))
        is_on_a_processor = network.device.torch_device.type == "cpu"
    while request.second:
        second = yield from _told(_second(batch, picture, size, made.tile), 1, 2)
        if second.tile == made.tile:
            return replace(made, image=Image.blend(made.image, second.image.convert(made.image.mode), request.blend)), is_on_a_processor
        with batch.task.lender.upscaler(request.upscaler) as network:
            made = yield from _told(_one(batch, network, picture, size, second.tile), 0, 2)
    return made, is_on_a_processor


def _one(batch: Batch[Enlarge], network: Upscaler, picture: Image.Image, size: Size, tile: int) -> Work:
    return upscaled(network, picture, size, tile, batch.request.upscaler_overlap, batch.task.lender.make_room)


def _second(batch: Batch[Enlarge], picture: Image.Image, size: Size, tile: int) -> Work:
    request = batch.request
    if request.second == THE_FILTER:
        return Upscaled((yield from resized(picture, size, FILTERS[request.filter])), tile)
    with batch.task.lender.upscaler(request.second) as network:
        return (yield from _one(batch, network, picture, size, tile))


def _told(work: Work, place: int, places: int) -> Work:
    """Its steps, counted as those of one of several parts that take as long as each other."""
    return retold(work, lambda step: replace(step, index=step.index + place * step.count, count=step.count * places) if step else None)
