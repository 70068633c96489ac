"""EXIF as far as settings stand in it: the texts of a few tags, read from the block itself.

Pillow makes an object of every entry, so a directory of a thousand entries that each claim the whole of a file of 60 MB takes 60 GB. Here
only the wanted ones are looked at, and no more of each than can be settings. Source: TIFF 6.0, section 2; EXIF 2.32, 4.6.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator, Mapping

EXIF_DIRECTORY = 0x8769
MOST_ENTRIES = 2_000  # of a directory that are looked at
BYTES = {1: 1, 2: 1, 6: 1, 7: 1}  # types of values that are bytes, as texts are
ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
PREFIX = b"Exif\0\0"


def block_of(info: Mapping[str | tuple[int, int], object]) -> bytes:
    """The block of a picture that Pillow has opened, b"" where there is none; some PNGs have it in hexadecimal digits."""
    found = info.get("exif")
    if isinstance(found, bytes):
        return found
    text = info.get("Raw profile type exif")
    if not isinstance(text, str):
        return b""
    try:
        return bytes.fromhex("".join(text.split("\n")[3:]))
    except ValueError:
        return b""


def values_of(block: bytes, tags: Collection[int], longest: int) -> dict[int, bytes]:
    """What stands under these tags, in the first directory or in the one of EXIF. Of a damaged block what can be read."""
    block = block.removeprefix(PREFIX)
    order = ORDERS.get(block[:4])
    if order is None:
        return {}
    found: dict[int, bytes] = {}
    try:
        (start,) = struct.unpack_from(f"{order}I", block, 4)
        for tag, kind, count, value in _entries(block, order, start):
            if tag == EXIF_DIRECTORY:
                (inner,) = struct.unpack(f"{order}I", value)
                found |= _texts(block, order, _entries(block, order, inner), tags, longest)
            else:
                found = _texts(block, order, iter([(tag, kind, count, value)]), tags, longest) | found
    except struct.error:
        pass
    return found


Entry = tuple[int, int, int, bytes]  # tag, type, number of values, and the four bytes of the value or of its place


def _entries(block: bytes, order: str, start: int) -> Iterator[Entry]:
    """Raises `struct.error` where the block ends."""
    (count,) = struct.unpack_from(f"{order}H", block, start)
    for place in range(min(count, MOST_ENTRIES)):
        yield struct.unpack_from(f"{order}HHI4s", block, start + 2 + 12 * place)


def _texts(block: bytes, order: str, entries: Iterator[Entry], tags: Collection[int], longest: int) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    try:
        for tag, kind, count, value in entries:
            if tag in tags and kind in BYTES and tag not in found:
                (place,) = struct.unpack(f"{order}I", value)
                found[tag] = value[:count] if count <= len(value) else block[place : place + min(count, longest)]
    except struct.error:
        pass
    return found
