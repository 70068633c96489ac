"""A PNG without what it says of itself: texts, EXIF and times are left out, pixels and colours stay as they are, byte for byte. A label
that says how it came to be is written anew, and nothing else of the packet that it stood in.

PNG (Third Edition), https://www.w3.org/TR/png-3/: a signature, then chunks of length, type, data and checksum (5.2, 5.3).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from pipelines.images.source_type import PNG_NAME, packet, source_in

SIGNATURE = b"\x89PNG\r\n\x1a\n"
KEPT = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"cHRM", b"gAMA", b"iCCP", b"sBIT", b"sRGB", b"cICP", b"pHYs", b"bKGD"})
LONGEST_PACKET = 2_000_000  # bytes of a text that is looked through for a label
PIECE = 1 << 20  # bytes that are read at once


def pieces(file: BinaryIO) -> Iterator[bytes]:
    """The file in pieces, without what is left out. Raises `ValueError` for what is no whole PNG."""
    if file.read(len(SIGNATURE)) != SIGNATURE:
        raise ValueError("no PNG")
    yield SIGNATURE
    kind, labelled = b"", False
    while kind != b"IEND":
        head = _read(file, 8)
        length, kind = struct.unpack(">I4s", head)
        if kind in KEPT:
            yield head
            yield from _data(file, length + 4)
        elif kind == b"iTXt" and length <= LONGEST_PACKET and not labelled:
            source = source_in(_read(file, length + 4))
            labelled = source != ""
            yield _label(source) if source else b""
        else:
            for _ in _data(file, length + 4):
                pass


def _label(source: str) -> bytes:
    """An iTXt chunk (11.3.3.4) with an XMP packet: keyword, not compressed, no language, no translated keyword, the text."""
    body = b"iTXt" + PNG_NAME.encode() + b"\0\0\0\0\0" + packet(source).encode()
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


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
