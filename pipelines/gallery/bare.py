"""Files without what they say of themselves: a PNG as it is but for its texts, every other picture as a PNG of its pixels."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import PurePath
from typing import BinaryIO

from models.errors import UserError
from pipelines.gallery.bare_png import SIGNATURE, pieces
from pipelines.images.decode import normalise

LARGEST = 200_000_000  # bytes of a file that is decoded
TOO_LARGE = "It is too large to be saved without its settings."
QUICK = 1  # of 9, zlib's levels: whoever waits for a ZIP would rather have it soon than small


def bare(file: BinaryIO, name: str) -> tuple[str, Iterator[bytes]]:
    """The name that the file then has, and its pieces. `file` is at its beginning.

    Raises `UserError` for a picture that cannot be decoded; the pieces raise `ValueError` for a PNG that ends in its middle.
    """
    beginning = file.read(len(SIGNATURE))
    file.seek(0)
    if beginning == SIGNATURE:
        return name, pieces(file)
    return f"{PurePath(name).stem}.png", iter([_drawn_anew(file)])


def _drawn_anew(file: BinaryIO) -> bytes:
    """Lossless, upright, in sRGB; what is transparent stays so."""
    data, stream = file.read(LARGEST + 1), io.BytesIO()
    if len(data) > LARGEST:
        raise UserError(TOO_LARGE)
    normalise(data, background=None).image.save(stream, "PNG", compress_level=QUICK)
    return stream.getvalue()
