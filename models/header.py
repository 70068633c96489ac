"""Reads the header of a safetensors file and nothing else: what tensors there are, in which shape, and where they lie.

The format (huggingface/safetensors): eight bytes of length, a JSON object of that length, the tensors without gaps. A file is
judged by its bytes, never by its ending, and whatever is wrong with it is said in words. The limits keep a hostile header from
taking time or memory; the largest real one (a text encoder, UNet and VAE in one file, with their averages) has some 4,000 tensors.
"""

from __future__ import annotations

import json
import math
import os
import pickletools
import re
import stat
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from models.errors import UserError
from models.shown import shown

MOST_HEADER = 25_000_000  # bytes
MOST_TENSORS = 60_000
MOST_METADATA = 4_000_000  # bytes of JSON that are read; what training programs write is up to 1 MB
MOST_DIMENSIONS = 16
LARGEST = 2**62  # of any number in an entry
KEYS = (b'"data_offsets"', b'"dtype"', b'"shape"')  # of an entry
MOST_VALUES = 4096  # of a tensor that is read with its header

BITS: Mapping[str, int] = {
    "F64": 64, "F32": 32, "F16": 16, "BF16": 16, "I64": 64, "I32": 32, "I16": 16, "I8": 8, "U8": 8, "U16": 16, "U32": 32, "U64": 64,
    "BOOL": 8, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "C64": 64,
}  # fmt: skip

ZIPS = (b"PK\x03\x04", b"PK\x05\x06")  # torch since 1.6
PICKLES = (b"\x80\x01", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"}q", b"]q", b"(dp", b"(lp", b"(i", b"(c", b"cos\n", b"c__")
OLD_PICKLE = re.compile(rb"[(]?c[A-Za-z_][\w.]*\n[A-Za-z_][\w.]*\n")  # protocol 0 begins with text: a module's name and a class
SURELY_PICKLE = 8  # instructions
TEXT = re.compile(rb"[\t\n\r\x20-\x7e]{9}")  # the length of a real header is a number with zeros behind it

Reason = Literal["empty", "incomplete", "web page", "git-lfs pointer", "pickle", "too large", "damaged"]


class Damaged(UserError):
    """What is wrong with a file, as a sentence, and its `reason` in a word."""

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
    tensors: Mapping[str, TensorInfo]
    metadata: Mapping[str, str]
    data_start: int  # bytes from the start of the file
    size: int  # bytes of the whole file


def read_header(file: Path) -> Header:
    """Raises `Damaged` when the file is no whole safetensors file, with a sentence that says what it is instead."""
    try:
        with open(file, "rb", opener=_without_waiting) as stream:
            return _read(stream, file.name)
    except OSError as error:
        raise Damaged("damaged", f"“{shown(file.name)}” cannot be read ({error.strerror}).") from error


def _without_waiting(path: str, flags: int) -> int:
    """Opening a named pipe would wait for its other end; this does not."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_values(file: Path, header: Header, name: str) -> list[float]:
    """The numbers of one small tensor of F16, BF16 or F32; none when there is no such tensor or it is larger than 4096 numbers.

    None, too, when the file is gone or shorter by now: whoever loads it will say so.
    """
    info = header.tensors.get(name)
    if info is None or info.dtype not in ("F16", "BF16", "F32") or math.prod(info.shape) > MOST_VALUES:
        return []
    try:
        with open(file, "rb", opener=_without_waiting) as stream:
            stream.seek(header.data_start + info.begin)
            data = stream.read(info.end - info.begin)
    except OSError:
        return []
    if len(data) != info.end - info.begin:  # cut short since its header was read
        return []
    if info.dtype == "BF16":  # the upper half of a float32
        data = b"".join(b"\0\0" + data[place : place + 2] for place in range(0, len(data), 2))
    letter = "e" if info.dtype == "F16" else "f"
    return [value for (value,) in struct.iter_unpack(f"<{letter}", data)]


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
    return Header(tensors, metadata, 8 + length, status.st_size)


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
    listed = data.count(KEYS[0])
    if listed > MOST_TENSORS:  # before the time and memory of parsing are spent
        raise _too_many(listed, name)
    try:
        found = json.loads(data.decode("utf-8"), parse_constant=_refuse)
        if b"\\u" in data or any(data.count(key) != len(found) - ("__metadata__" in found) for key in KEYS):
            _look_closely(data)
    except (ValueError, TypeError, RecursionError) as error:
        raise _damaged(name, "its header cannot be read") from error
    if not isinstance(found, dict):
        raise _damaged(name, "its header is not a table of tensors")
    metadata = found.pop("__metadata__", {})
    if len(found) > MOST_TENSORS:
        raise _too_many(len(found), name)
    if any(tensor.startswith("__") or ".__" in tensor for tensor in found):
        raise _damaged(name, "a tensor has a name that no network uses")
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _damaged(name, "its metadata are not texts")
    if sum(len(key) + len(value) for key, value in metadata.items()) > MOST_METADATA:
        metadata = {}
    return {tensor: _info(tensor, entry, name) for tensor, entry in found.items()}, metadata


def _too_many(count: int, name: str) -> Damaged:
    return Damaged("too large", f"“{shown(name)}” lists {count:,} tensors, which no model has. Do not use this file.")


def _look_closely(data: bytes) -> None:
    """Raises ValueError for what JSON can write and a table of texts cannot hold: a key twice, half a character. It takes its time."""
    found = json.loads(data.decode("utf-8"), object_pairs_hook=_without_doubles)
    json.dumps(found, ensure_ascii=False).encode("utf-8")


def _without_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise ValueError("a key stands twice")
    return table


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _info(tensor: str, entry: Any, name: str) -> TensorInfo:
    try:
        dtype, shape, (begin, end) = entry["dtype"], entry["shape"], entry["data_offsets"]
        bits = BITS[dtype]
    except (TypeError, KeyError, ValueError) as error:
        raise _damaged(name, f"the entry of {shown(tensor)} cannot be read, or its numbers are of a kind that is not known") from error
    if len(entry) != len(KEYS) or type(shape) is not list or len(shape) > MOST_DIMENSIONS:
        raise _damaged(name, f"the entry of {shown(tensor)} is not one of a tensor")
    for number in (*shape, begin, end):
        if type(number) is not int or not 0 <= number < LARGEST:
            raise _damaged(name, f"the entry of {shown(tensor)} holds impossible numbers")
    if math.prod(shape) * bits != (end - begin) * 8:
        raise _damaged(name, f"the size of {shown(tensor)} is not that of its shape")
    return TensorInfo(dtype, tuple(shape), begin, end)


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
