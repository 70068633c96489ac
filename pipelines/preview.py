"""Predicted clean latents to a small picture file, when somebody asks for it."""

from __future__ import annotations

import io
from collections.abc import Callable

import torch
from PIL import Image
from torch import Tensor

from models.preview import PreviewDecoder

LONGEST = 512  # pixels; a larger preview says no more about the picture
GAP = 2  # pixels between the pictures of one batch


def preview_of(decoder: PreviewDecoder, x0: Tensor) -> Callable[[], bytes]:
    """A call that makes the JPEG: side by side when the batch has several pictures. x0: (n, 4, h, w)."""

    def make() -> bytes:
        with torch.inference_mode():
            pixels = decoder(x0.to(next(iter(decoder.state_dict().values())).dtype))
        return _jpeg(_sheet(((pixels.float() + 1) * 127.5).clamp(0, 255).to(torch.uint8).cpu()))

    return make


def _sheet(pictures: Tensor) -> Image.Image:
    """(n, 3, h, w) bytes as one picture, in rows as nearly square as they come."""
    count, _, height, width = pictures.shape
    columns = next(columns for columns in range(1, count + 1) if columns**2 >= count)
    rows = -(-count // columns)
    sheet = Image.new("RGB", (columns * (width + GAP) - GAP, rows * (height + GAP) - GAP))
    for index, picture in enumerate(pictures.permute(0, 2, 3, 1).contiguous().numpy()):
        row, column = divmod(index, columns)
        sheet.paste(Image.fromarray(picture), (column * (width + GAP), row * (height + GAP)))
    return sheet


def _jpeg(image: Image.Image) -> bytes:
    image.thumbnail((LONGEST, LONGEST))
    stream = io.BytesIO()
    image.save(stream, "jpeg", quality=85)
    return stream.getvalue()
