"""Picture files of every kind, sound and strange, made byte by byte."""

from __future__ import annotations

import functools
import io
import struct
import threading
import zlib
from collections.abc import Callable

import numpy as np
import psutil
import pytest
from PIL import Image

from models.errors import UserError
from pipelines.images.decode import Normalised, as_mask, normalise

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "AVIF", "BMP")
SIGNATURE = b"\x89PNG\r\n\x1a\n"


@functools.cache
def blocks() -> Image.Image:
    """Eight by six blocks of colour, 96 x 72: no turn of it looks like another."""
    colours = np.random.default_rng(7).integers(0, 256, (6, 8, 3))
    return Image.fromarray(np.kron(colours, np.ones((12, 12, 1))).astype(np.uint8))


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, rows: bytes = b"", depth: int = 8, colour: int = 2, *extra: bytes) -> bytes:
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    return SIGNATURE + header + b"".join(extra) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")


@functools.cache
def zeros(count: int) -> bytes:
    """That many zeros, as zlib packs them, without ever being in memory at once."""
    packer = zlib.compressobj(1)
    million = bytes(1_000_000)
    return b"".join(packer.compress(million) for _ in range(count // 1_000_000)) + packer.flush()


def bmp(width: int, height: int, compression: int = 0, body: bytes = b"") -> bytes:
    bits = 8 if compression else 24
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(body), 0, 0, 256 if compression else 0, 0)
    palette = bytes(1024) if compression else b""
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 54 + len(palette)) + header + palette + body


def gif(screen: tuple[int, int], picture: tuple[int, int]) -> bytes:
    return b"GIF89a" + struct.pack("<HHBBB", *screen, 0, 0, 0) + b"!\xfe\x02hi\0," + struct.pack("<HHHHB", 0, 0, *picture, 0) + b"\x02\0;"


def webp(width: int, height: int) -> bytes:
    """One small picture on a canvas of that size."""
    frame = bytes(6) + (7).to_bytes(3, "little") * 2 + bytes(4) + saved(Image.new("RGB", (8, 8)), "WEBP")[12:]
    body = b"WEBPVP8X" + struct.pack("<II", 10, 2) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body += b"ANIM" + struct.pack("<IIH", 6, 0, 0) + b"ANMF" + struct.pack("<I", len(frame)) + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg(width: int, height: int) -> bytes:
    """A small JPEG that says it is of that size."""
    data = saved(Image.new("RGB", (8, 8)), "JPEG")
    at = data.index(b"\xff\xc0") + 5
    return data[:at] + struct.pack(">HH", height, width) + data[at + 4 :]


def strange_profile(space: bytes, channels: int) -> bytes:
    """A profile of two grid points a channel (ICC.1:2001-04, lut8Type) by which all of the first channel, alone, is green."""
    grid = [index == 1 << channels - 1 for index in range(2**channels)]
    lab = b"".join(bytes((150, 128 - 70 * green, 128 + 50 * green)) for green in grid)
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1" + bytes(4) + bytes((channels, 3, 2, 0)) + identity + bytes(range(256)) * channels + lab + bytes(range(256)) * 3
    white = struct.pack(">3i", 63190, 65536, 54061)
    text = b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags, where, body = b"", 128 + 4 + 3 * 12, b""
    for name, content in ((b"A2B0", table), (b"wtpt", b"XYZ " + bytes(4) + white), (b"desc", text)):
        tags += name + struct.pack(">II", where + len(body), len(content))
        body += content + bytes(-len(content) % 4)
    header = bytes(4) + struct.pack(">I", 0x02400000) + b"prtr" + space + b"Lab " + bytes(12) + b"acsp" + bytes(28) + white + bytes(48)
    return struct.pack(">I", where + len(body)) + header + struct.pack(">I", 3) + tags + body


def refused(data: bytes) -> str:
    with pytest.raises(UserError) as told:
        normalise(data)
    with pytest.raises(UserError):
        as_mask(data)
    return str(told.value)


def pixels(result: Normalised) -> np.ndarray:
    assert result.image.mode == "RGB"
    assert result.image.info == {}
    return np.asarray(result.image).astype(int)


def grown(work: Callable[[], object]) -> float:
    """The most megabytes that `work` held at a time, by looking every millisecond."""
    process, over = psutil.Process(), threading.Event()
    before = highest = process.memory_info().rss

    def look() -> None:
        nonlocal highest
        while not over.wait(0.001):
            highest = max(highest, process.memory_info().rss)

    looking = threading.Thread(target=look)
    looking.start()
    try:
        work()
    finally:
        over.set()
        looking.join()
    return (highest - before) / 1e6
