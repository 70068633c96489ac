"""ONNX files, as far as it takes to know what a detector reads and says. Nothing is run, and no weights are read.

Format: protocol buffers, https://protobuf.dev/programming-guides/encoding/ and onnx.proto of the ONNX project:
ModelProto 7 graph, 14 metadata; GraphProto 11 inputs, 12 outputs; ValueInfoProto 1 name, 2 type; TypeProto 1 tensor; Tensor 2 shape;
Shape 1 dimension; Dimension 1 number; StringStringEntryProto 1 key, 2 value.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

MODEL_GRAPH, MODEL_METADATA, GRAPH_INPUT, GRAPH_OUTPUT = 7, 14, 11, 12
NAME, TYPE, TENSOR, SHAPE, DIMENSION, NUMBER, KEY, VALUE = 1, 2, 1, 2, 1, 1, 1, 2
VARINT, BYTES = 0, 2
WIDTHS = {1: 8, 5: 4}  # bytes of the two kinds of fixed width
MOST_PORTS = 64  # inputs or outputs; a detector has one and a dozen
LONGEST = 10_000  # bytes of a text


class NotOnnx(ValueError):
    """The bytes are no such file."""


@dataclass(frozen=True)
class OnnxFile:
    """`inputs`, `outputs`: name -> sides; 0 for one that is free."""

    inputs: Mapping[str, Sequence[int]]
    outputs: Mapping[str, Sequence[int]]
    metadata: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Span:
    """A message within the file: from `start` to before `end`."""

    raw: mmap.mmap
    start: int
    end: int


def read_onnx(path: Path) -> OnnxFile:
    """Raises `NotOnnx` for whatever is none, and `OSError`."""
    with path.open("rb") as file:
        try:
            held = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except ValueError as error:  # an empty file
            raise NotOnnx from error
        with held:
            return _model(Span(held, 0, len(held)))


def _model(model: Span) -> OnnxFile:
    ports: dict[int, dict[str, Sequence[int]]] = {GRAPH_INPUT: {}, GRAPH_OUTPUT: {}}
    metadata: dict[str, str] = {}
    for number, value in _fields(model):
        if number == MODEL_GRAPH:
            for part, port in _fields(value):
                if part in ports and len(ports[part]) < MOST_PORTS:
                    ports[part][_text(port, NAME)] = _sides(port)
        elif number == MODEL_METADATA and len(metadata) < MOST_PORTS:
            metadata[_text(value, KEY)] = _text(value, VALUE)
    if not ports[GRAPH_INPUT] or not ports[GRAPH_OUTPUT]:
        raise NotOnnx
    return OnnxFile(ports[GRAPH_INPUT], ports[GRAPH_OUTPUT], metadata)


def _sides(port: Span | int) -> Sequence[int]:
    shape = _part(_part(_part(port, TYPE), TENSOR), SHAPE)
    dimensions = [value for number, value in _fields(shape) if number == DIMENSION]
    sides = [_part(dimension, NUMBER) for dimension in dimensions]
    return [side if isinstance(side, int) else 0 for side in sides]


def _fields(message: Span | int | None) -> Iterator[tuple[int, Span | int]]:
    """(number, value) of each field of a message; a value of fixed width is 0 here."""
    if not isinstance(message, Span):
        return
    place = message.start
    while place < message.end:
        key, place = _varint(message, place)
        value: Span | int = 0
        if key & 7 == VARINT:
            value, place = _varint(message, place)
        elif key & 7 in WIDTHS:
            place += WIDTHS[key & 7]
        elif key & 7 == BYTES:
            length, place = _varint(message, place)
            value, place = Span(message.raw, place, place + length), place + length
        else:
            raise NotOnnx
        if place > message.end or not key >> 3:
            raise NotOnnx
        yield key >> 3, value


def _varint(message: Span, place: int) -> tuple[int, int]:
    number = 0
    for shift in range(0, 70, 7):
        if place >= message.end:
            break
        byte = message.raw[place]
        number, place = number | (byte & 127) << shift, place + 1
        if byte < 128:
            return number, place
    raise NotOnnx


def _part(message: Span | int | None, number: int) -> Span | int | None:
    return next((value for own, value in _fields(message) if own == number), None)


def _text(message: Span | int, number: int) -> str:
    part = _part(message, number)
    return part.raw[part.start : min(part.end, part.start + LONGEST)].decode("utf-8", "replace") if isinstance(part, Span) else ""
