"""Reading tensors of a safetensors file, in one pass over its bytes into memory of our own.

Not mapped: a mapped file that is cut short or written over while it is in use kills the process or corrupts a picture without a word.
Not copied: all tensors that are read together are views of one buffer. What has to be done to the numbers (widening, laying the
channels innermost, looking for numbers that are not finite) is done block by block, while a block is in the processor's cache.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from torch import Tensor

from models.errors import UserError
from models.tensors.fp8 import STORED

if TYPE_CHECKING:
    from models.tensors.header import Header, TensorInfo

DTYPES: Mapping[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
# Read as a signed and as an unsigned whole number, anything from these on is infinite or no number: the exponent's bits are all set.
# e4m3 has no infinities, and only the two largest patterns are no numbers.
NOT_FINITE: Mapping[str, tuple[type, type, int, int]] = {
    "F64": (np.int64, np.uint64, 0x7FF0 << 48, 0xFFF0 << 48),
    "F32": (np.int32, np.uint32, 0x7F80 << 16, 0xFF80 << 16),
    "F16": (np.int16, np.uint16, 0x7C00, 0xFC00),
    "BF16": (np.int16, np.uint16, 0x7F80, 0xFF80),
    "F8_E4M3": (np.int8, np.uint8, 0x7F, 0xFF),
    "F8_E5M2": (np.int8, np.uint8, 0x7C, 0xFC),
}
BLOCK = 2**20  # bytes that fit the cache
READERS = 2  # half of the time goes into new pages of memory, which two threads get in half of the time
ALIGNMENT = 64  # bytes; the widest loads of a processor


@dataclass(frozen=True, slots=True)
class TensorFormat:
    """The number type and layout that tensors get in memory."""

    dtype: torch.dtype | None = None  # of all floating-point tensors; None: as in the file
    channels_last: bool = False  # four-dimensional tensors with their second dimension innermost
    eight_bits: bool = False  # those that are stored in eight bits stay so
    # Asked before each tensor: what it raises ends the reading. It is no part of the form itself.
    go_on: Callable[[], None] = field(default=lambda: None, repr=False, compare=False)


AS_IN_THE_FILE = TensorFormat()


def all_finite(tensor: Tensor) -> bool:
    """Of any number type: torch itself cannot ask all kinds of float8."""
    return bool(torch.isfinite(tensor.float() if tensor.is_floating_point() and tensor.itemsize == 1 else tensor).all())


def read_tensors(
    file: Path, header: Header, names: Collection[str] | None = None, form: TensorFormat = AS_IN_THE_FILE
) -> dict[str, Tensor]:
    """The named tensors (None: all), as views of one buffer. Nothing else is read.

    Raises `UserError` when the file ends early or changes meanwhile, when it holds a type of number that is not known, or
    a number that is not finite, naming the tensor.
    """
    wanted = sorted(header.tensors if names is None else names, key=lambda name: (header.tensors[name].begin, name))
    tensors = _room(file.stem, {name: header.tensors[name] for name in wanted}, form)
    before = file.stat()
    with ThreadPoolExecutor(READERS) as readers:
        begun = [readers.submit(_read, file, header, share, tensors, form.go_on) for share in _shares(wanted, header)]
        for reading in begun:
            reading.result()
    after = file.stat()
    if (before.st_size, before.st_mtime_ns, before.st_ino) != (after.st_size, after.st_mtime_ns, after.st_ino):
        raise UserError(f"“{file.stem}” was changed while it was read. Try again once it has been copied.")
    return tensors


def _shares(wanted: Sequence[str], header: Header) -> list[list[str]]:
    """One share for each reader, about equal in bytes and each a stretch of the file."""
    shares: list[list[str]] = [[] for _ in range(READERS)]
    whole, done = sum(header.tensors[name].end - header.tensors[name].begin for name in wanted), 0
    for name in wanted:
        shares[min(READERS - 1, done * READERS // max(1, whole))].append(name)
        done += header.tensors[name].end - header.tensors[name].begin
    return shares


def _read(file: Path, header: Header, names: Sequence[str], tensors: Mapping[str, Tensor], go_on: Callable[[], None]) -> None:
    with file.open("rb", buffering=0) as stream:
        for name in names:
            go_on()
            _fill(OpenTensor(file.stem, name, stream, header), tensors[name])


@dataclass(frozen=True, slots=True)
class OpenTensor:
    """One tensor of an open file."""

    file: str
    name: str
    stream: FileIO
    header: Header

    @property
    def info(self) -> TensorInfo:
        return self.header.tensors[self.name]

    def seek(self) -> None:
        self.stream.seek(self.header.data_start + self.info.begin)

    def read(self, into: memoryview) -> None:
        """Fills the memory and looks at the numbers."""
        done = 0
        while done < len(into):
            read = self.stream.readinto(into[done:])
            if not read:
                self._fail_short()
            done += read
        self._check(into)

    def _check(self, block: memoryview) -> None:
        if self.info.dtype not in NOT_FINITE:
            return
        signed, unsigned, least, least_negative = NOT_FINITE[self.info.dtype]
        if np.frombuffer(block, signed).max() >= least or np.frombuffer(block, unsigned).max() >= least_negative:
            what = f"In “{self.file}”, {self.name} holds numbers that are not finite"
            raise UserError(f"{what}. The file is damaged; copy or download it again.")

    def _fail_short(self) -> None:
        there, whole = os.fstat(self.stream.fileno()).st_size, self.header.data_start + max(t.end for t in self.header.tensors.values())
        raise UserError(f"“{self.file}” is incomplete: {there:,} of {whole:,} bytes. Copy or download it again.")


def _room(file: str, infos: Mapping[str, TensorInfo], form: TensorFormat) -> dict[str, Tensor]:
    """Unfilled tensors in one buffer, in the order of the file."""
    starts: list[int] = []
    end = 0
    for name, info in infos.items():
        starts.append(end)
        size = info.end - info.begin if (dtype := _dtype(file, name, info, form)) == DTYPES[info.dtype] else _count(info) * dtype.itemsize
        end += -(-size // ALIGNMENT) * ALIGNMENT
    buffer = torch.empty(end + ALIGNMENT, dtype=torch.uint8)
    first = -buffer.data_ptr() % ALIGNMENT
    return {
        name: _view(buffer[first + start :], info.shape, _dtype(file, name, info, form), form)
        for start, (name, info) in zip(starts, infos.items(), strict=True)
    }


def _dtype(file: str, name: str, info: TensorInfo, form: TensorFormat) -> torch.dtype:
    if info.dtype not in DTYPES:
        raise UserError(f"In “{file}”, {name} is stored as {info.dtype}, which cannot be read. Look for the file in float16 or float32.")
    dtype = DTYPES[info.dtype]
    stays = not form.dtype or not dtype.is_floating_point or (form.eight_bits and dtype in STORED)
    return dtype if stays else cast(torch.dtype, form.dtype)


def _count(info: TensorInfo) -> int:
    return int(np.prod(info.shape, dtype=np.int64))


def _view(room: Tensor, shape: tuple[int, ...], dtype: torch.dtype, form: TensorFormat) -> Tensor:
    flat = room[: int(np.prod(shape, dtype=np.int64)) * dtype.itemsize].view(dtype)
    if not (form.channels_last and len(shape) == 4):
        return flat.view(shape)
    _, inner, height, width = shape
    return flat.as_strided(shape, (inner * height * width, 1, width * inner, inner))


def _fill(place: OpenTensor, tensor: Tensor) -> None:
    if tensor.numel() == 0:
        return
    place.seek()
    stored = DTYPES[place.info.dtype]
    spatial = tensor.ndim == 4 and tensor.shape[2:] != (1, 1) and tensor.stride(1) == 1
    if tensor.dtype == stored and not (spatial and tensor.shape[1] > 1):
        for block in _blocks(tensor):
            place.read(block)
    else:
        _fill_changed(place, tensor, stored)


def _blocks(tensor: Tensor) -> Iterator[memoryview]:
    """The memory of a tensor without gaps, in blocks."""
    flat = tensor.as_strided((tensor.numel(),), (1,)).view(torch.uint8).numpy()
    return (flat[start : start + BLOCK].data for start in range(0, len(flat), BLOCK))


def _fill_changed(place: OpenTensor, tensor: Tensor, stored: torch.dtype) -> None:
    """Through a block in the cache: another number type, another order in memory, or both."""
    rows = tensor if tensor.ndim == 4 else tensor.as_strided((tensor.numel(),), (1,))
    row = rows[0].numel()
    count = max(1, BLOCK // (row * stored.itemsize))
    block = torch.empty(min(count, len(rows)) * row * stored.itemsize, dtype=torch.uint8)
    for start in range(0, len(rows), count):
        target = rows[start : start + count]
        part = block[: target.numel() * stored.itemsize]
        place.read(part.numpy().data)
        target.copy_(part.view(stored).view(target.shape))
