"""PNG files from outside: what makes the pixels is picked out of them, before any decoder sees the rest.

Texts and profiles in a PNG unpack to whatever size they like, and a stream of pixels may end early in good order. PNG: the W3C's third
edition.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import cast

from PIL import Image
from PIL.PngImagePlugin import PngImageFile

MOST_PROFILE = 16_000_000  # bytes, unpacked; the largest profiles of printers take about 4 MB
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of the colour types
WHOLE = ((0, 0, 1, 1),)
ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))


@dataclass(frozen=True)
class PngFile:
    """A file whose chunks are sound. Its pixels are not decoded yet."""

    image: PngImageFile
    profile: bytes | None  # ICC; empty when it does not unpack
    exif: bytes
    animated: bool
    chunks: tuple[bytes, ...]  # those that make the pixels

    def load(self) -> Image.Image:
        """The decoded picture. Raises `ValueError`, `zlib.error` and whatever Pillow raises when the pixels are damaged or incomplete."""
        width, height, depth, colour, interlaced = _header(self.chunks[0])
        _check_rows(self.chunks, _size_of_rows(width, height, depth * CHANNELS[colour], bool(interlaced)))
        self.image.load()
        _scale_transparent_colour(self.image, depth)
        return self.image


def png_size(data: bytes) -> tuple[int, int]:
    """Width and height. Raises `struct.error` for a file that ends before them."""
    return _header(data[8:33])[:2]


def open_png(data: bytes) -> PngFile:
    """The chunks that make the pixels, the colour profile and the EXIF block; all else is left out.

    Raises `ValueError`, `struct.error` and whatever Pillow raises for a cut or altered file.
    """
    pixels: list[bytes] = []
    profile, exif, animated = None, b"", False
    for kind, chunk in _chunks(data):
        if kind in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            pixels.append(chunk)
        elif kind == b"iCCP":
            profile = _unpacked_profile(chunk[8:-4])
        elif kind == b"eXIf":
            exif = chunk[8:-4]
        elif kind == b"acTL":
            animated = int.from_bytes(chunk[8:12]) > 1
    return PngFile(PngImageFile(io.BytesIO(data[:8] + b"".join(pixels))), profile, exif, animated, tuple(pixels))


def _header(chunk: bytes) -> tuple[int, int, int, int, int]:
    """Width, height, bits of a sample, colour type, interlaced (PNG 11.2.1), of a file's first chunk."""
    width, height, depth, colour, _, _, interlaced = struct.unpack_from(">IIBBBBB", chunk, 8)
    return width, height, depth, colour, interlaced


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and whole chunk, up to IEND (PNG 5.3). Raises `ValueError` or `struct.error` for a cut or altered file."""
    at, kind = 8, b""
    while kind != b"IEND":
        length, kind = struct.unpack_from(">I4s", data, at)
        chunk = data[at : at + 12 + length]
        at += len(chunk)
        (checksum,) = struct.unpack_from(">I", chunk, 8 + length)
        if kind[:1].isupper() and checksum != zlib.crc32(memoryview(chunk)[4:-4]):
            raise ValueError("a chunk was altered")
        yield kind, chunk


def _size_of_rows(width: int, height: int, bits: int, interlaced: bool) -> int:
    """Bytes: of each pass (PNG 8.1) as many rows as it has, each behind a byte that names its filter. `bits` is of a pixel."""
    sizes = ((-(-(width - left) // across), -(-(height - top) // down)) for left, top, across, down in (ADAM7 if interlaced else WHOLE))
    return sum(high * (1 + -(-wide * bits // 8)) for wide, high in sizes if wide > 0)


def _check_rows(chunks: tuple[bytes, ...], size: int) -> None:
    """Raises `ValueError` when the pixels end too early: Pillow takes a stream that ends in good order, and leaves the rest black."""
    unpacking = zlib.decompressobj()
    for packed in (chunk[8:-4] for chunk in chunks if chunk[4:8] == b"IDAT"):
        while packed and size > 0:
            size -= len(unpacking.decompress(packed, 1_000_000))
            packed = unpacking.unconsumed_tail
    if size > len(unpacking.flush()):
        raise ValueError("rows are missing")


def _unpacked_profile(body: bytes) -> bytes:
    """Of an iCCP chunk (PNG 11.3.2.3). Cut off where no profile is that large; then it is damaged, as one that does not unpack."""
    try:
        return zlib.decompressobj().decompress(body.partition(b"\0")[2][1:], MOST_PROFILE)
    except zlib.error:
        return b""


def _scale_transparent_colour(image: Image.Image, depth: int) -> None:
    """Pillow brings the samples to 8 bits, and leaves the colour that stands for "transparent" (tRNS) as it was."""
    colour = image.info.get("transparency")
    if image.mode == "L" and depth < 8 and isinstance(colour, int):
        image.info["transparency"] = colour * 255 // (2**depth - 1)
    elif image.mode == "RGB" and depth == 16 and isinstance(colour, tuple):
        image.info["transparency"] = tuple(sample >> 8 for sample in cast(tuple[int, ...], colour))
