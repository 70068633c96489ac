"""Records of steps in a file, one after another as they are made. A file that ends in the middle of one holds all those before it.

    file     b"ATELSTEP" and the version, then records
    record   bytes of its head and of its body (two little-endian uint32), the head as JSON, the body, and CRC-32 of both
    head     {"leg", "index", "count", "sigma", "draws", "shape", "parts"}: parts are the bytes of x, of x0, and of what is remembered,
             null where that is x0; or {"begun": digest}: a try at this order begins here. {"gathered": true}: the last part is that
    part     bytes of the plane of signs and exponents, deflated, in a uint32; that plane; the three other planes of the float32

Numbers of noise cannot be packed; their exponents can, and that is an eighth of them for a quarter of the work.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np

from models.errors import UserError
from models.json_values import is_row, is_table
from pipelines.steps.state import Numbers, StepState

VERSION = 1
BEGINNING = b"ATELSTEP" + struct.pack("<H", VERSION)
LENGTHS, NUMBER = struct.Struct("<II"), struct.Struct("<I")
LONGEST_HEAD, LARGEST_BODY = 10_000, 2**30  # bytes
BEGUN, GATHERED = "begun", "gathered"
OTHER = "The steps of this picture were kept by another version of Atelier and cannot be read."
DAMAGED = "The steps of this picture are damaged and cannot be read."


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step stands in a file, and what its head says."""

    leg: int
    index: int
    count: int
    sigma: float
    draws: int
    shape: tuple[int, ...]  # channels, height, width; of a clip with its frames before
    parts: tuple[int | None, ...]
    at: int  # of its body
    head: int  # bytes of its head, which stands before it
    gathered: bool = False  # the last part is what guidance has gathered


def record_of(state: StepState) -> bytes:
    """Of one picture."""
    parts = [packed(state.x), packed(state.x0), *(each if each is None else packed(each) for each in state.remembered)]
    parts += [] if state.gathered is None else [packed(state.gathered)]
    told: dict[str, object] = {name: getattr(state, name) for name in ("leg", "index", "count", "sigma", "draws")}
    told |= {} if state.gathered is None else {GATHERED: True}
    head = told | {"shape": list(state.x.shape[1:]), "parts": [None if part is None else len(part) for part in parts]}
    return _record(head, b"".join(part for part in parts if part is not None))


def begun_record(order: str) -> bytes:
    return _record({BEGUN: order}, b"")


def _record(head: Mapping[str, object], body: bytes) -> bytes:
    written = json.dumps(head).encode()
    return LENGTHS.pack(len(written), len(body)) + written + body + NUMBER.pack(zlib.crc32(body, zlib.crc32(written)))


def packed(values: Numbers) -> bytes:
    planes = np.ascontiguousarray(values, "<f4").view(np.uint8).reshape(-1, 4)
    exponents = zlib.compress(np.ascontiguousarray(planes[:, 3]).tobytes(), 1)
    return NUMBER.pack(len(exponents)) + exponents + np.ascontiguousarray(planes[:, :3].T).tobytes()


def unpacked(data: bytes, shape: tuple[int, ...]) -> Numbers:
    """Raises `ValueError` or `zlib.error` for what `packed` has not written."""
    (length,) = NUMBER.unpack_from(data)
    count = int(np.prod(shape))
    planes = np.empty((count, 4), np.uint8)
    planes[:, 3] = np.frombuffer(zlib.decompress(data[4 : 4 + length]), np.uint8)
    planes[:, :3] = np.frombuffer(data[4 + length :], np.uint8).reshape(3, count).T
    return planes.view("<f4").reshape(shape).astype(np.float32, copy=False)


def places(file: BinaryIO) -> Iterator[Place | str]:
    """Those of all whole records, without reading their numbers; of where a try begins, its order.

    Raises `UserError` for a file of another version.
    """
    for found, head, body, _ in _records(file):
        yield str(found[BEGUN]) if BEGUN in found else _place(found, body, head)


def whole(file: BinaryIO) -> int:
    """Bytes up to the end of the last whole record. Raises as `places`."""
    return max((end for *_, end in _records(file)), default=len(BEGINNING))


def _records(file: BinaryIO) -> Iterator[tuple[dict[str, object], int, int, int]]:
    """What the head says, its length, where the body begins and where the record ends."""
    begin = file.read(len(BEGINNING))
    if begin != BEGINNING:
        raise UserError(OTHER if begin[:8] == BEGINNING[:8] else DAMAGED)
    size, at = file.seek(0, 2), len(BEGINNING)
    while at + LENGTHS.size <= size:
        file.seek(at)
        head, body = LENGTHS.unpack(file.read(LENGTHS.size))
        begins = at + LENGTHS.size + head
        at = begins + body + NUMBER.size
        if at > size or head > LONGEST_HEAD or body > LARGEST_BODY or (found := _head(file.read(head))) is None:
            return
        yield found, head, begins, at


def _head(written: bytes) -> dict[str, object] | None:
    try:
        found: object = json.loads(written)
    except (ValueError, RecursionError):
        return None
    return found if is_table(found) else None


def _place(head: dict[str, object], at: int, length: int) -> Place:
    """Raises `UserError` for a head that says something else than it should."""
    try:
        numbers = [head[name] for name in ("leg", "index", "count", "draws")]
        shape, parts, sigma = head["shape"], head["parts"], head["sigma"]
    except KeyError as error:
        raise UserError(DAMAGED) from error
    if not (is_row(shape) and is_row(parts) and isinstance(sigma, float | int) and len(shape) in (3, 4)):
        raise UserError(DAMAGED)
    whole = [each for each in (*numbers, *shape) if isinstance(each, int) and 0 <= each < 2**31]
    lengths = [each for each in parts if each is None or isinstance(each, int)]
    gathered = head.get(GATHERED) is True
    if len(whole) < 4 + len(shape) or len(lengths) < max(2 + gathered, len(parts)):
        raise UserError(DAMAGED)
    leg, index, count, draws, *sides = whole
    return Place(leg, index, count, float(sigma), draws, tuple(sides), tuple(lengths), at, length, gathered)


def read_state(path: Path, place: Place, picture: int) -> StepState:
    """Raises `UserError` for numbers that are not what was written."""
    lengths = [length for length in place.parts if length is not None]
    try:
        with path.open("rb") as file:
            file.seek(place.at - place.head)
            head = file.read(place.head)
            body = file.read(sum(lengths))
            (check,) = NUMBER.unpack(file.read(NUMBER.size))
        if check != zlib.crc32(body, zlib.crc32(head)):
            raise UserError(DAMAGED)
        parts = iter(_cut(body, lengths))
        x, x0, *remembered = (None if length is None else unpacked(next(parts), (1, *place.shape)) for length in place.parts)
    except (OSError, ValueError, struct.error, zlib.error) as error:
        raise UserError(DAMAGED) from error
    assert x is not None and x0 is not None
    gathered = remembered.pop() if place.gathered else None
    return StepState(place.leg, place.index, place.count, place.sigma, place.draws, x, x0, tuple(remembered), (picture,), gathered)


def _cut(body: bytes, lengths: list[int]) -> Iterator[bytes]:
    at = 0
    for length in lengths:
        yield body[at : at + length]
        at += length
