"""Headers of safetensors files, and nothing else of them: what tensors there are, in which shape, and where they lie.

The format (huggingface/safetensors): eight bytes of length, a JSON object of that length, the tensors without gaps. A file is
judged by its bytes, never by its ending, and whatever is wrong with it is said in words. What the format's own library opens is opened,
within limits that keep a hostile header from taking time or memory; the largest real one (a text encoder, UNet and VAE in one file, with
their averages) has some 4,000 tensors.
"""

from __future__ import annotations

import json
import os
import pickletools
import re
import stat
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import accumulate
from operator import mul
from pathlib import Path
from typing import BinaryIO, Literal, NoReturn

from models.errors import UserError
from models.json_values import is_list, is_table, is_text_table, is_whole, table
from models.safe_text import shown

MOST_HEADER = 25_000_000  # bytes
MOST_TENSORS = 60_000
MOST_METADATA = 4_000_000  # bytes of JSON that are read; what training programs write is up to 1 MB
MOST_DIMENSIONS = 16
LARGEST = 2**62  # of any number in the entry of a tensor that can be read
BEYOND = 2**64  # of any number that the format can hold
KEYS = ("dtype", "shape", "data_offsets")  # of an entry, in the order of one that is a list
METADATA = "__metadata__"

BITS: Mapping[str, int] = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U8": 8, "U16": 16, "U32": 32, "U64": 64,
    "BOOL": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "C64": 64,
}  # fmt: skip

FLOATING = frozenset({"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2"})  # numbers that networks are read in

ZIPS = (b"PK\x03\x04", b"PK\x05\x06")  # torch since 1.6
PICKLES = (b"\x80\x01", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"}q", b"]q", b"(dp", b"(lp", b"(i", b"(c", b"cos\n", b"c__")
OLD_PICKLE = re.compile(rb"[(]?c[A-Za-z_][\w.]*\n[A-Za-z_][\w.]*\n")  # protocol 0 begins with text: a module's name and a class
SURELY_PICKLE = 8  # instructions
TEXT = re.compile(rb"[\t\n\r\x20-\x7e]{9}")  # the length of a real header is a number with zeros behind it

Reason = Literal["empty", "incomplete", "web page", "git-lfs pointer", "pickle", "too large", "damaged"]


class Damaged(UserError):
    """A damaged file: what is wrong with it, as a sentence, and its `reason` in a word."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TensorInfo:
    dtype: str  # as the format spells it: "F16", "BF16", ...
    shape: tuple[int, ...]
    begin: int  # bytes from the start of the data
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    tensors: Mapping[str, TensorInfo]  # those that a network could have
    metadata: Mapping[str, str]
    data_start: int  # bytes from the start of the file
    size: int  # bytes of the whole file


def floating(tensors: Mapping[str, TensorInfo]) -> list[str]:
    """The names of those whose numbers can be weights: no whole numbers, and no types that cannot be read."""
    return [name for name, info in tensors.items() if info.dtype in FLOATING]


def read_header(file: Path) -> Header:
    """Raises `Damaged` when the file is no whole safetensors file, with a sentence that says what it is instead."""
    try:
        with open(file, "rb", opener=without_waiting) as stream:
            return _read(stream, file.name)
    except OSError as error:
        raise Damaged("damaged", f"“{shown(file.name)}” cannot be read ({error.strerror}).") from error


def without_waiting(path: str, flags: int) -> int:
    """Opening a named pipe would wait for its other end; this does not."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _read(stream: BinaryIO, name: str) -> Header:
    status = os.fstat(stream.fileno())
    if not stat.S_ISREG(status.st_mode):
        raise Damaged("damaged", f"“{shown(name)}” is not a file.")
    start = stream.read(1024)
    _look(start, status.st_size, name)
    length = int.from_bytes(start[:8], "little")
    if length > MOST_HEADER:
        raise Damaged("too large", f"The header of “{shown(name)}” claims {length:,} bytes, which no model needs. Do not use this file.")
    if 8 + length > status.st_size:
        raise _incomplete(name, status.st_size, None)
    stream.seek(8)
    tensors, metadata = _parse(stream.read(length), name)
    data = status.st_size - 8 - length
    _check_places(tensors, data, name, status.st_size, 8 + length)
    readable = {tensor: info for tensor, info in tensors.items() if _can_be_read(tensor, info)}
    return Header(readable, metadata, 8 + length, status.st_size)


def _look(start: bytes, size: int, name: str) -> None:
    """Things that are often found under a model's name."""
    called = shown(name)
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if size == 0:
        raise Damaged("empty", f"“{called}” is empty: the download or copy never began. Get it again.")
    if text.startswith((b"<!doctype", b"<html", b"<head", b"<?xml", b"<script")):
        page = "is a web page, not a model: the site answered with a page instead of the file"
        raise Damaged("web page", f"“{called}” {page}. Download it again, logged in if the site asks for it.")
    if start.startswith(b"version https://git-lfs"):
        pointer = "is a git-lfs pointer, a short note that stands for the real file"
        raise Damaged("git-lfs pointer", f"“{called}” {pointer}. Fetch it with “git lfs pull”, or download the file itself.")
    if _is_pickle(start):
        raise Damaged("pickle", f"“{called}” is in the old pickle format, which can run programs on this computer, so it is not loaded. "
                      "Look for the .safetensors version; the owner can also convert it once.")  # fmt: skip
    if start.startswith(b"GGUF"):
        raise Damaged("damaged", f"“{called}” is in the GGUF format, which Atelier does not read. Look for the .safetensors version.")
    if size < 10:
        raise Damaged("damaged", f"“{called}” is no model file: it has {size} bytes.")
    if TEXT.match(start):
        raise Damaged("damaged", f"“{called}” is a text, not a model: perhaps what a site answered instead of the file. Download it again.")


def _is_pickle(start: bytes) -> bool:
    """Zip (torch since 1.6), tar (before 0.2) and bare pickles; a safetensors header has its opening brace at the ninth byte."""
    if start.startswith(ZIPS) or start[257:262] == b"ustar":
        return True
    return start[8:9] != b"{" and (start.startswith(PICKLES) or OLD_PICKLE.match(start) is not None or _reads_as_pickle(start))


def _reads_as_pickle(start: bytes) -> bool:
    """Whether its instructions make sense to their end, or for longer than those of a text or of noise do. None is carried out."""
    sound = 0
    with suppress(Exception):  # whatever the reading of noise raises
        for _ in pickletools.genops(start):
            sound += 1
        return sound > 3
    return sound >= SURELY_PICKLE


def _parse(data: bytes, name: str) -> tuple[dict[str, TensorInfo], dict[str, str]]:
    listed = data.count(b'"data_offsets"')
    if listed > MOST_TENSORS:  # before the time and memory of parsing are spent
        raise _too_many(listed, name)
    try:
        found: object = json.loads(data.decode("utf-8"), parse_constant=_refuse)
        if b"\\u" in data or b"-0" in data or any(data.count(f'"{key}"'.encode()) != count for key, count in _usual(table(found))):
            found = _look_closely(data)
    except (ValueError, TypeError, RecursionError) as error:
        raise _damaged(name, "its header cannot be read") from error
    if not is_table(found):
        raise _damaged(name, "its header is not a table of tensors")
    metadata = found.pop(METADATA, None)
    if len(found) > MOST_TENSORS:
        raise _too_many(len(found), name)
    return {tensor: _info(tensor, entry, name) for tensor, entry in found.items()}, _texts(metadata, name)


def _texts(metadata: object, name: str) -> dict[str, str]:
    """Nothing stands for none, as in the format's own library."""
    if metadata is None:
        return {}
    if not is_text_table(metadata):
        raise _damaged(name, "its metadata are not texts")
    return metadata if sum(len(key) + len(value) for key, value in metadata.items()) <= MOST_METADATA else {}


def _usual(found: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    """How often words of the format stand in a header in which nothing stands twice."""
    has_metadata = int(METADATA in found)
    yield METADATA, has_metadata
    yield from ((key, len(found) - has_metadata) for key in KEYS)


def _too_many(count: int, name: str) -> Damaged:
    return Damaged("too large", f"“{shown(name)}” lists {count:,} tensors, which no model has. Do not use this file.")


class _Table(dict[str, object]):
    """A JSON object that knows which of its keys stood there twice; the last one counts."""

    doubled: frozenset[str] = frozenset()


def _look_closely(data: bytes) -> object:
    """Raises ValueError for what JSON can write and the format cannot hold: one of its words twice, half a character. It takes its time."""
    found: object = json.loads(data.decode("utf-8"), object_pairs_hook=_table, parse_int=_whole, parse_constant=_refuse)
    json.dumps(found, ensure_ascii=False).encode("utf-8")
    if isinstance(found, _Table) and METADATA in found.doubled:
        raise ValueError("a key stands twice")
    return found


def _table(pairs: list[tuple[str, object]]) -> _Table:
    found = _Table(pairs)
    if len(found) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        found.doubled = frozenset(key for key, count in counts.items() if count > 1)
    return found


def _whole(digits: str) -> int:
    """A number with a sign before it is none that an entry can have."""
    return -1 if digits.startswith("-") else int(digits)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def _info(tensor: str, entry: object, name: str) -> TensorInfo:
    dtype, shape, offsets = _fields(entry)
    if not isinstance(dtype, str) or dtype not in BITS or not is_list(offsets) or len(offsets) != 2:
        raise _damaged(name, f"the entry of {shown(tensor)} cannot be read, or its numbers are of a kind that is not known")
    if not is_list(shape) or (isinstance(entry, _Table) and entry.doubled & set(KEYS)):
        raise _damaged(name, f"the entry of {shown(tensor)} is not one of a tensor")
    numbers = [number for number in (*shape, *offsets) if is_whole(number) and 0 <= number < BEYOND]
    if len(numbers) != len(shape) + 2:
        raise _damaged(name, f"the entry of {shown(tensor)} holds impossible numbers")
    *sizes, begin, end = numbers
    if _bits(sizes, BITS[dtype]) != (end - begin) * 8:
        raise _damaged(name, f"the size of {shown(tensor)} is not that of its shape")
    return TensorInfo(dtype, tuple(sizes), begin, end)


def _fields(entry: object) -> tuple[object, object, object]:
    """Type, shape and place, as they stand there; None for what does not."""
    fields = entry if is_list(entry) else [table(entry).get(key) for key in KEYS]
    return (fields[0], fields[1], fields[2]) if len(fields) == len(KEYS) else (None, None, None)


def _bits(shape: Sequence[int], bits: int) -> int:
    """Of all numbers together; -1 where the format's library counts beyond its largest number."""
    counts = list(accumulate((*shape, bits), mul, initial=1))
    return counts[-1] if max(counts) < BEYOND else -1


def _can_be_read(tensor: str, info: TensorInfo) -> bool:
    """Whether a network could have such a tensor. The names of what Python objects are made of are looked up nowhere."""
    is_plain = not tensor.startswith("__") and ".__" not in tensor
    return is_plain and len(info.shape) <= MOST_DIMENSIONS and all(size < LARGEST for size in info.shape)


def _check_places(tensors: Mapping[str, TensorInfo], data: int, name: str, size: int, start: int) -> None:
    """The tensors cover the data without gaps, overlaps, or anything behind them."""
    whole = max((info.end for info in tensors.values()), default=0)
    if whole > data:
        raise _incomplete(name, size, start + whole)
    reached = 0
    for begin, end in sorted((info.begin, info.end) for info in tensors.values()):
        if begin != reached:
            raise _damaged(name, "its tensors overlap or leave gaps")
        reached = end
    if reached != data:
        raise _damaged(name, f"{data - reached:,} bytes belong to no tensor")


def _incomplete(name: str, there: int, whole: int | None) -> Damaged:
    of = f"{there:,} of {whole:,} bytes" if whole else f"{there:,} bytes, not even its header is whole"
    return Damaged("incomplete", f"“{shown(name)}” is incomplete: {of}. Copy or download it again.")


def _damaged(name: str, why: str) -> Damaged:
    return Damaged("damaged", f"“{shown(name)}” is damaged: {why}. Copy or download it again.")
