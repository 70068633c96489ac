"""What EXIF costs before anybody has asked for it: Pillow reads every entry of its first directory when it opens a JPEG or an AVIF.

Each entry may claim all of the block, and be there 65,535 times, so a file of 700 kB takes 700 MB and a quarter of a minute. Real
EXIF claims no more than it holds.
"""

from __future__ import annotations

import os
import struct
from typing import BinaryIO

MOST = 32 * 2**20  # bytes that all entries together may claim
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}  # TIFF 6.0, section 2; BigTIFF
HEADS = ((b"II*\0", "<"), (b"MM\0*", ">"))
MOST_HEADS = 1_000  # in a file
MOST_SEGMENTS = 5_000  # of a JPEG before its pixels
PREFIX = b"Exif\0\0"
SEGMENT = 4  # bytes: 0xFF, which one, and its length


def costs_too_much(file: BinaryIO) -> bool:
    """Whether a JPEG or an AVIF should not be opened. The file stands at its beginning, before and after."""
    head = file.read(12)
    file.seek(0)
    if head.startswith(b"\xff\xd8"):
        block = _jpeg_block(file)
        found = block and _claimed(block, 0) > MOST
    else:
        found = head[4:8] == b"ftyp" and _any_block_claims(file.read())
    file.seek(0)
    return bool(found)


def _jpeg_block(file: BinaryIO) -> bytes:
    """As Pillow joins it, of all segments that hold EXIF."""
    parts: list[bytes] = []
    file.seek(2)
    for _ in range(MOST_SEGMENTS):
        mark = file.read(SEGMENT)
        while mark[:2] == b"\xff\xff":
            mark = mark[1:] + file.read(1)
        if len(mark) < SEGMENT or mark[0] != 0xFF or mark[1] in (0xD9, 0xDA):
            break
        length = max(int.from_bytes(mark[2:]) - 2, 0)
        if mark[1] != 0xE1:
            file.seek(length, os.SEEK_CUR)
        elif (body := file.read(length)).startswith(PREFIX):
            parts.append(body[len(PREFIX) :])
    return b"".join(parts)


def _any_block_claims(data: bytes) -> bool:
    """Of an AVIF, in which EXIF may lie anywhere."""
    for head, _ in HEADS:
        place = data.find(head)
        for _ in range(MOST_HEADS):
            if place < 0:
                break
            if _claimed(data, place) > MOST:
                return True
            place = data.find(head, place + 1)
    return False


def _claimed(data: bytes, begin: int) -> int:
    """Bytes that the entries of the first directory would have read."""
    order = dict(HEADS).get(data[begin : begin + 4], "")
    claimed = 0
    try:
        (start,) = struct.unpack_from(f"{order}I", data, begin + 4)
        (count,) = struct.unpack_from(f"{order}H", data, begin + start)
        for place in range(count if order else 0):
            _, kind, number, value = struct.unpack_from(f"{order}HHII", data, begin + start + 2 + 12 * place)
            claimed += min(SIZES.get(kind, 0) * number, max(len(data) - begin - value, 0))
    except struct.error:
        pass
    return claimed
