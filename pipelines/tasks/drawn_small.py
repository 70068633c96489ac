"""Drawn small: what a recipe has drawn is enlarged by an upscaler before it is kept. Any recipe can be wrapped in it.

Whatever a recipe itself goes on from, the rounds of a loopback, is as it was drawn.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import replace
from typing import TypeVar

from models.errors import UserError
from pipelines.images.wrapped import wrapped
from pipelines.jobs.events import Event, Picture, Step, retold
from pipelines.jobs.runner import Events
from pipelines.metadata.source_of import source_of
from pipelines.requests.drawn_small import enlarged_size
from pipelines.requests.guidance import joins
from pipelines.requests.request import Controlled, ImageToImage, TextToImage
from pipelines.tasks.batch import DrawingTask
from pipelines.tasks.upscaling import upscaled

Small = TypeVar("Small", TextToImage, ImageToImage, Controlled)
Recipe = Callable[[DrawingTask[Small]], Generator[Events]]


def enlarging(recipe: Recipe[Small]) -> Recipe[Small]:
    """The recipe, whose pictures are enlarged where the request asks for it."""

    def batches(task: DrawingTask[Small]) -> Generator[Events]:
        for events in recipe(task):
            yield _batch(events, task) if task.request.enlarger else events

    return batches


def _batch(events: Events, task: DrawingTask[Small]) -> Events:
    with closing(events):
        for event in events:
            if isinstance(event, Picture):
                yield from _picture(event, task)
            else:
                yield event


def _picture(drawn: Picture, task: DrawingTask[Small]) -> Events:
    """Where it cannot be enlarged, it is kept as it is before that is told."""
    try:
        enlarged = yield from _enlarged(drawn, task)
    except UserError as error:
        yield replace(drawn, request=replace(_asked(drawn), enlarged_by=""))
        raise UserError(f"This picture is kept as it was drawn; it could not be enlarged. {error}") from error
    yield enlarged


def _enlarged(drawn: Picture, task: DrawingTask[Small]) -> Generator[Event | None, None, Picture]:
    """With the tile that was used, and the picture as it was drawn, in its request."""
    request = _asked(drawn)
    kept = task.inputs.keep(drawn.image, source_of(request, task.inputs.source))
    image, across, down = wrapped(drawn.image, *joins(request))
    with task.lender.upscaler(request.enlarger) as network:
        size = enlarged_size(image.size, network.scale)
        made = yield from retold(upscaled(network, image, size, request.enlarged_tile, make_room=task.lender.make_room), _quietly)
    inside = (across * network.scale, down * network.scale, size[0] - across * network.scale, size[1] - down * network.scale)
    finished = made.image.crop(inside) if across or down else made.image
    return replace(drawn, image=finished, request=replace(request, enlarged_tile=made.tile, as_drawn=kept))


def _asked(drawn: Picture) -> TextToImage | ImageToImage | Controlled:
    assert isinstance(drawn.request, TextToImage | ImageToImage | Controlled)
    return drawn.request


def _quietly(step: Step | None) -> None:
    """A place to stop; the steps that are told are those of the drawing."""
