"""Resampling by a classic filter: bit for bit what Pillow's `resize` makes of the whole picture, made in bands so that it can be stopped.

A filter works along one axis after the other, first on each row by itself, then on each column. So bands of whole rows, and then bands
of whole columns, give the same numbers as the whole. Where a picture is transparent, Pillow multiplies its colours by alpha before the
filter and divides them after it: pixels that cannot be seen have no weight, so their colours do not bleed into the edges of what can.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator

import PIL
from PIL import Image
from PIL.Image import Resampling

from models.errors import UserError
from pipelines.jobs.events import Step
from pipelines.jobs.runner import Events
from pipelines.metadata.text_keys import VERSION
from pipelines.requests.enlarge import Enlarge
from pipelines.tasks.batch import Batch, Task

FILTERS = {
    "Lanczos": Resampling.LANCZOS,
    "Bicubic": Resampling.BICUBIC,
    "Bilinear": Resampling.BILINEAR,
    "Hamming": Resampling.HAMMING,
    "Box": Resampling.BOX,
    "Nearest": Resampling.NEAREST,
}
BAND = 4_000_000  # pixels that are read or made between two places to stop
PREMULTIPLIED = {"RGBA": "RGBa"}  # modes, as Pillow names them
NO_MEMORY = "There is not enough memory for a picture of this size. Close other programs that use it, or choose a smaller size."
MADE_WITH = {"Pillow": PIL.__version__, "Atelier": VERSION}


def batches(task: Task[Enlarge]) -> Generator[Events]:
    for batch in task.batches():
        yield _batch(batch)


def _batch(batch: Batch[Enlarge]) -> Events:
    picture = batch.inputs.open(batch.singles[0].image, "")
    yield None
    size = batch.request.size_from(picture.size)
    if batch.request.upscaler:
        from pipelines.tasks.enlarge_by_network import enlarged  # which imports torch

        yield from enlarged(batch, picture, size)
        return
    try:
        made = yield from resized(picture, size, FILTERS[batch.request.filter])
    except MemoryError as error:
        raise UserError(NO_MEMORY) from error
    yield batch.picture(made, batch.first, MADE_WITH)


def resized(picture: Image.Image, size: tuple[int, int], resample: Resampling) -> Generator[Step, None, Image.Image]:
    """The picture at this size (width, height), in its mode. Says each band."""
    if size == picture.size:
        return picture
    weighed = picture.mode if resample == Resampling.NEAREST else PREMULTIPLIED.get(picture.mode, picture.mode)
    rows = list(_bands(picture.height, max(picture.width, size[0])))
    columns = list(_bands(size[0], max(picture.height, size[1])))
    count = len(rows) + len(columns)
    source, wide = _in_mode(picture, weighed), Image.new(weighed, (size[0], picture.height))
    for number, (start, end) in enumerate(rows, 1):
        band = source.crop((0, start, picture.width, end))
        wide.paste(band.resize((size[0], end - start), resample), (0, start))
        yield Step(number, count, 0, 1)
    made = Image.new(weighed, size)
    for number, (start, end) in enumerate(columns, len(rows) + 1):
        band = wide.crop((start, 0, end, picture.height))
        made.paste(band.resize((end - start, size[1]), resample), (start, 0))
        yield Step(number, count, 0, 1)
    return _in_mode(made, picture.mode)


def _in_mode(picture: Image.Image, mode: str) -> Image.Image:
    return picture if picture.mode == mode else picture.convert(mode)


def _bands(side: int, length: int) -> Iterator[tuple[int, int]]:
    """(start, end) of each, along a side; every line of a band has this length."""
    lines = max(1, BAND // length)
    for start in range(0, side, lines):
        yield start, min(start + lines, side)
