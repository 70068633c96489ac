"""Settings in the lowest bits of a PNG's transparency, where NovelAI and extensions of A1111 keep a copy that outlives lost texts.

The bits go down the columns, from left to right: a mark of 15 letters, the length in bits (32 bits, the highest first), and the text, of
"stealth_pngcomp" packed with gzip.
"""

from __future__ import annotations

import zlib

import numpy as np
from PIL import Image

STEALTH = "stealth"
MARK, PACKED = b"stealth_pnginfo", b"stealth_pngcomp"
LONGEST = 1_000_000  # bytes, unpacked
HEAD = len(MARK) + 4  # bytes


def hidden_text(image: Image.Image) -> str:
    """ "" where there is none. Decodes the pixels of what has transparency."""
    if image.mode != "RGBA" or image.format != "PNG":
        return ""
    bits = (np.asarray(image.getchannel("A")) & 1).T.reshape(-1)
    head = np.packbits(bits[: HEAD * 8]).tobytes()
    mark, length = head[: len(MARK)], int.from_bytes(head[len(MARK) :])
    if mark not in (MARK, PACKED) or length > LONGEST * 8:
        return ""
    body = np.packbits(bits[HEAD * 8 : HEAD * 8 + length]).tobytes()
    return (_unpacked(body) if mark == PACKED else body).decode("utf-8", "replace")


def _unpacked(body: bytes) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(body, LONGEST)
    except zlib.error:
        return b""
