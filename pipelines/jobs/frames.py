"""Frames in which values go between the studio and a device that draws in a process of its own (`spoken.py`): JSON and bytes.

frame    bytes of its head (little-endian uint32), the head as JSON, and its blobs one after another
head     {"id", "is", "fields", "blobs"}: which question it is or answers, the class of the value, its fields without those of bytes,
         and how many bytes each blob has
"""

from __future__ import annotations

import json
import struct
from dataclasses import fields
from typing import IO

from models.errors import UserError
from models.json_values import is_table
from pipelines.jobs.spoken import KINDS, OTHER, Value

LENGTH = struct.Struct("<I")
LONGEST_HEAD, LARGEST_BLOB = 64 * 2**20, 2**32 - 1  # bytes


def frame(number: int, value: Value) -> bytes:
    """`number`: of the question that it is or answers; 0 for what nobody asked."""
    told = {each.name: getattr(value, each.name) for each in fields(value)}
    blobs = {name: content for name, content in told.items() if isinstance(content, bytes)}
    plain = {name: content for name, content in told.items() if name not in blobs}
    head = {"id": number, "is": type(value).__name__, "fields": plain, "blobs": {name: len(blob) for name, blob in blobs.items()}}
    written = json.dumps(head).encode()
    return LENGTH.pack(len(written)) + written + b"".join(blobs.values())


def read_frame(file: IO[bytes]) -> tuple[int, Value]:
    """Raises `EOFError` at the end, `UserError` for what is no frame of this version."""
    (length,) = LENGTH.unpack(_exactly(file, LENGTH.size))
    if length > LONGEST_HEAD:
        raise UserError(OTHER)
    try:
        head: object = json.loads(_exactly(file, length))
    except (ValueError, RecursionError) as error:
        raise UserError(OTHER) from error
    told = head if is_table(head) else {}
    number, kind, plain, sizes = (told.get(name) for name in ("id", "is", "fields", "blobs"))
    if not (isinstance(number, int) and isinstance(kind, str) and kind in KINDS and is_table(plain) and is_table(sizes)):
        raise UserError(OTHER)
    blobs = {name: _exactly(file, size) for name, size in sizes.items() if isinstance(size, int) and 0 <= size <= LARGEST_BLOB}
    try:
        return number, KINDS[kind](**plain, **blobs)
    except TypeError as error:
        raise UserError(OTHER) from error


def _exactly(file: IO[bytes], size: int) -> bytes:
    found = bytearray()
    while len(found) < size:
        more = file.read(size - len(found))
        if not more:
            raise EOFError
        found += more
    return bytes(found)
