"""Enlarging by an upscaler: tile by tile, blended where they overlap, again and again until the picture is large enough.

`upscaled` is what others call. Where memory ends the tiles get half as large and all begins anew, so that the tile that is told
with the picture makes the same picture again.
"""

from __future__ import annotations

import io
import logging
import math
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from PIL import Image
from PIL.Image import Resampling
from torch import Tensor

from models.errors import UserError
from models.memory.device import free_now, release
from models.memory.forecast import SLACK, drop_frames, is_out_of_memory
from models.upscalers.upscaler import Upscaler
from pipelines.jobs.events import Step
from pipelines.requests.enlarge import OVERLAP, SMALLEST_TILE, Size, passes
from pipelines.tasks.enlarge import NO_MEMORY, resized
from pipelines.tasks.spans import ALIGNED, Span, spans

log = logging.getLogger(__name__)


LARGEST = 512  # pixels of a tile's side; larger ones are no quicker, and nothing is seen or stopped between
OF_FREE = 0.8  # of the memory that is free, for one tile
EASY = 4e10  # weights times pixels of a tile that a processor does within seconds
LEAST_EASY = 128  # pixels of a tile's side on a processor, however slow: the overlaps of smaller ones take half of the time
LARGEST_PREVIEW = 512  # pixels
LEVELS = 255.0  # of a colour, above the darkest


@dataclass(frozen=True)
class Upscaled:
    """A picture that an upscaler made."""

    image: Image.Image  # RGB, or RGBA where the picture was transparent
    tile: int  # pixels: what to give to make the same again


def upscaled(
    upscaler: Upscaler,
    picture: Image.Image,
    size: Size,
    tile: int = 0,
    overlap: int = OVERLAP,
    make_room: Callable[[], object] = lambda: None,
) -> Generator[Step | None, None, Upscaled]:
    """The picture at this size, in pixels. Tells each tile, with what is done so far to look at; each is a place to stop.

    The upscaler is run as often as it needs to cover the size, at least once, then Lanczos brings it there. Transparency is resampled
    by Lanczos alone. `tile`: pixels of the longest side that the network sees at once; 0 chooses it by the memory that is free.
    Where a picture is not larger than that, it is what spandrel's own call makes of it. `overlap`: pixels of the smaller picture.
    `make_room`: called when memory ran out.

    Raises `UserError` when memory does not suffice for the smallest tile, when what is made between is too large, and for what
    `Upscaler` says of a network.
    """
    sizes = passes(picture.size, size, upscaler.scale)
    tile = tile or tile_for(upscaler, max(sizes, key=math.prod))
    while True:
        try:
            image = yield from _attempt(upscaler, picture, size, sizes, tile, overlap)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            log.warning("memory ran out with tiles of %d pixels: %s", tile, drop_frames(error))
        else:
            return Upscaled(image, tile)
        tile = _smaller(tile, max(max(each) for each in sizes))
        make_room()
        release(upscaler.device)
        yield None


def tile_for(upscaler: Upscaler, size: Size) -> int:
    """Pixels of a tile's side: what memory holds, and no more than is done in a moment. All of it, where the network wants that."""
    fitting = math.isqrt(int(free_now(upscaler.device) * OF_FREE / SLACK / max(1, upscaler.bytes_a_pixel)))
    if upscaler.wants_all and math.prod(size) <= fitting**2:
        return max(size)
    side = min(fitting, _comfortable(upscaler))
    return max(SMALLEST_TILE, side // ALIGNED * ALIGNED)


def _comfortable(upscaler: Upscaler) -> int:
    if upscaler.device.torch_device.type != "cpu":
        return LARGEST
    weights = sum(weight.numel() for weight in upscaler.network.parameters())
    return min(LARGEST, max(LEAST_EASY, math.isqrt(int(EASY / max(1, weights)))))


def _smaller(tile: int, longest: int) -> int:
    """Half of it. Raises `UserError` when there is nothing smaller to try."""
    if min(tile, longest) <= SMALLEST_TILE:
        raise UserError(NO_MEMORY)
    return max(SMALLEST_TILE, min(tile, longest) // 2 // ALIGNED * ALIGNED)


def _attempt(
    upscaler: Upscaler, picture: Image.Image, size: Size, sizes: Sequence[Size], tile: int, overlap: int
) -> Generator[Step | None, None, Image.Image]:
    counts = [len(spans(w, tile, overlap, upscaler.multiple)) * len(spans(h, tile, overlap, upscaler.multiple)) for w, h in sizes]
    colours, done = picture.convert("RGB"), 0
    for given in sizes:
        colours = yield from _resampled(colours, given)
        for event in (work := _Pass(upscaler, colours, tile, overlap)).run():
            done += 1
            yield Step(done, sum(counts), 0, 1, event)
        colours = work.made
    colours = yield from _resampled(colours, size)
    if "A" in picture.getbands():
        colours.putalpha((yield from _resampled(picture.getchannel("A"), size)))
    return colours


def _resampled(picture: Image.Image, size: Size) -> Generator[None, None, Image.Image]:
    """By Lanczos; its bands are places to stop, and told to nobody."""
    work = resized(picture, size, Resampling.LANCZOS)
    while True:
        try:
            next(work)
        except StopIteration as end:
            return end.value
        yield None


class _Pass:
    """One run of the network over a picture. `made` is whole when `run` has ended."""

    def __init__(self, upscaler: Upscaler, picture: Image.Image, tile: int, overlap: int) -> None:
        self._upscaler = upscaler
        self._pixels = np.asarray(picture)
        width, height = picture.size
        self._columns = spans(width, tile, overlap, upscaler.multiple)
        self._rows = spans(height, tile, overlap, upscaler.multiple)
        scale = upscaler.scale
        self._made = torch.zeros(3, height * scale, width * scale, dtype=torch.uint8)
        self._preview = picture.copy()
        self._preview.thumbnail((LARGEST_PREVIEW, LARGEST_PREVIEW))

    @property
    def made(self) -> Image.Image:
        return _picture(self._made)

    def run(self) -> Generator[Callable[[], bytes]]:
        """After each tile, what shows all that is done so far."""
        scale, width = self._upscaler.scale, self._made.shape[2]
        highest = max(row.end - row.start for row in self._rows) * scale
        room, rest = torch.zeros(3, highest, width), torch.zeros(3, 0, width)  # the second: what blends into the next row of tiles
        for row in self._rows:
            band = room[:, : (row.end - row.start) * scale].zero_()
            for column in self._columns:
                part = self._tile(row, column)
                yield self._shown(row, column, part)
                _add(band[:, :, column.start * scale : column.end * scale], part, _along(column, scale))
            band *= _along(row, scale)[:, None] * LEVELS
            first = (row.rising - row.start) * scale
            band[:, first : first + rest.shape[1]] += rest
            whole = band.shape[1] if row.is_last else (row.falling - row.start) * scale
            rest = band[:, whole:].clone()
            self._made[:, row.rising * scale :][:, : whole - first] = band[:, first:whole].round_().clamp_(0, LEVELS)

    def _tile(self, row: Span, column: Span) -> Tensor:
        pixels = self._pixels[row.start : row.end, column.start : column.end].transpose(2, 0, 1)
        return self._upscaler(torch.as_tensor(np.ascontiguousarray(pixels, np.float32)) / 255)

    def _shown(self, row: Span, column: Span, part: Tensor) -> Callable[[], bytes]:
        """The small picture with this tile in it, as it is now. Roughly: of several pixels one is shown."""
        share = self._preview.width / self._pixels.shape[1]
        left, top, right, bottom = (round(side * share) for side in (column.start, row.start, column.end, row.end))
        if right > left and bottom > top:
            step = max(1, min(part.shape[2] // (right - left), part.shape[1] // (bottom - top)))
            levels = (part[:, ::step, ::step] * LEVELS).round_().clamp_(0, LEVELS).to(torch.uint8)
            self._preview.paste(_picture(levels).resize((right - left, bottom - top), Resampling.BILINEAR), (left, top))
        return partial(_png, self._preview.copy())


def _add(band: Tensor, part: Tensor, weights: Tensor) -> None:
    """A tile by its weights along a row. Where they are 1 no other tile counts, and a copy is half the work."""
    alone = torch.nonzero(weights == 1)[:, 0]
    first, last = (int(alone[0]), int(alone[-1]) + 1) if len(alone) else (0, 0)
    band[:, :, first:last].copy_(part[:, :, first:last])
    for edge in (slice(0, first), slice(last, None)):
        band[:, :, edge].addcmul_(part[:, :, edge], weights[edge])


def _picture(levels: Tensor) -> Image.Image:
    """Of (3, h, w) bytes."""
    return Image.merge("RGB", [Image.fromarray(level.numpy()) for level in levels])


def _along(span: Span, scale: int) -> Tensor:
    return torch.as_tensor(span.weights(scale))


def _png(picture: Image.Image) -> bytes:
    stream = io.BytesIO()
    picture.save(stream, "png")
    return stream.getvalue()
