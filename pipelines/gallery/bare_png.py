"""A PNG without what it says of itself: texts, EXIF and times are left out, pixels and colours stay as they are, byte for byte.

PNG (Third Edition), https://www.w3.org/TR/png-3/: a signature, then chunks of length, type, data and checksum (5.2, 5.3).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEPT = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"pHYs", b"bKGD"})
PIECE = 1 << 20  # bytes that are read at once


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """The file in pieces, without what is left out. Raises `ValueError` for what is no whole PNG."""
    if file.read(len(SIGNATURE)) != SIGNATURE:
        raise ValueError("no PNG")
    yield SIGNATURE
    kind = b""
    while kind != b"IEND":
        head = _read(file, 8)
        length, kind = struct.unpack(">I4s", head)
        if kind in KEPT:
            yield head
            yield from _data(file, length + 4)
        else:
            for _ in _data(file, length + 4):
                pass


def _data(file: BinaryIO, count: int) -> Iterator[bytes]:
    while count:
        piece = _read(file, min(count, PIECE))
        count -= len(piece)
        yield piece


def _read(file: BinaryIO, count: int) -> bytes:
    found = file.read(count)
    if len(found) < count:
        raise ValueError("the file ends early")
    return found
