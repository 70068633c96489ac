"""Previews: predicted clean latents to a small picture file, when somebody asks for it."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import cast

import torch
from PIL import Image
from torch import Tensor

from models.loading.preview_decoder import PreviewDecoder
from pipelines.images.masking import Patch

LONGEST = 512  # pixels; a larger preview says no more about the picture
LONGEST_STRIP = 8192  # pixels; of a clip's frames in a row
GAP = 2  # pixels between the pictures of one batch


def preview_of(decoder: PreviewDecoder, x0: Tensor) -> Callable[[], bytes]:
    """A call that makes the JPEG: side by side when the batch has several pictures. x0: (n, 4, h, w)."""
    return lambda: _jpeg(_sheet(pictures_of(decoder, x0)))


def preview_like(small: Tensor, x0: Tensor) -> Callable[[], bytes]:
    """As `preview_of`, for latents whose colours nobody has measured but of which each lies under one pixel of a known picture: of all
    linear maps of the latents, that which comes nearest to the picture. `small`: (1, 3, h, w) in -1..1. x0: (n, 4, h, w).
    """
    return lambda: _jpeg(_sheet(_pictures(_in_colours_of(small, x0))))


def _in_colours_of(small: Tensor, x0: Tensor) -> Tensor:
    """(n, 3, h, w), by least squares, each picture by itself."""
    with torch.inference_mode():
        places = torch.nn.functional.pad(x0.float().cpu().permute(0, 2, 3, 1).flatten(1, 2), (0, 1), value=1.0)  # and a constant
        colours = small.permute(0, 2, 3, 1).flatten(1, 2).expand(len(x0), -1, -1)
        across = places.transpose(1, 2)
        square = across @ places + 1e-3 * torch.eye(places.shape[2])  # so that latents of one value have a map as well
        colouring = cast("Tensor", torch.linalg.solve(square, across @ colours))  # pyright: ignore[reportUnknownMemberType]
        return (places @ colouring).transpose(1, 2).reshape(len(x0), 3, *small.shape[2:])


def preview_in(decoder: PreviewDecoder, x0: Tensor, patch: Patch) -> Callable[[], bytes]:
    """As `preview_of`, each in its place in the picture that it is a part of. `patch` is of preview size: see `Patch.small`."""
    return lambda: _jpeg(_sheet([patch.put_back(image) for image in pictures_of(decoder, x0)]))


def strip_of(decoder: PreviewDecoder, x0: Tensor) -> Callable[[], bytes]:
    """A call that makes the JPEG of a clip: its frames in a row. x0: (1, frames, 4, h, w)."""
    return lambda: _jpeg(_sheet(pictures_of(decoder, x0[0]), x0.shape[1]), LONGEST_STRIP)


def loop_of(decoder: PreviewDecoder, x0: Tensor, frames_a_second: int) -> Callable[[], bytes]:
    """A call that makes the animated WebP of a clip, which plays again and again. x0: (1, frames, 4, h, w)."""

    def made() -> bytes:
        first, *others = pictures_of(decoder, x0[0])
        stream = io.BytesIO()
        first.save(
            stream, "webp", save_all=True, append_images=others, duration=round(1000 / frames_a_second), loop=0, quality=80, method=0
        )
        return stream.getvalue()

    return made


def pictures_of(decoder: PreviewDecoder, x0: Tensor) -> list[Image.Image]:
    """One small picture of each of x0 (n, 4, h, w), as large as the decoder makes them."""
    with torch.inference_mode():
        return _pictures(decoder(x0.to(next(iter(decoder.state_dict().values())).dtype)))


def _pictures(pixels: Tensor) -> list[Image.Image]:
    """Of (n, 3, h, w) in -1..1."""
    bytes_ = ((pixels.float() + 1) * 127.5).clamp(0, 255).to(torch.uint8).cpu()
    return [Image.fromarray(picture) for picture in bytes_.permute(0, 2, 3, 1).contiguous().numpy()]


def _sheet(pictures: Sequence[Image.Image], columns: int = 0) -> Image.Image:
    """Pictures of one size as one, in rows of so many; 0: as nearly square as they come."""
    count, (width, height) = len(pictures), pictures[0].size
    columns = columns or columns_of(count)
    rows = -(-count // columns)
    sheet = Image.new("RGB", (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP))
    for index, picture in enumerate(pictures):
        row, column = divmod(index, columns)
        sheet.paste(picture, (column * (width + GAP), row * (height + GAP)))
    return sheet


def columns_of(count: int) -> int:
    """In which so many pictures lie in a preview."""
    return next(columns for columns in range(1, count + 1) if columns**2 >= count)


def _jpeg(image: Image.Image, longest: int = LONGEST) -> bytes:
    image.thumbnail((longest, longest))
    stream = io.BytesIO()
    image.save(stream, "jpeg", quality=85)
    return stream.getvalue()
