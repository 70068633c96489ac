"""Random headers: what the safetensors library opens is opened here with the same tensors, and what it refuses is told in a sentence."""

from __future__ import annotations

import json
import random
import struct
from pathlib import Path
from typing import Any

import pytest
from safetensors import SafetensorError, safe_open

from models.tensors.header import BITS, MOST_DIMENSIONS, Damaged, read_header

SHAPES: tuple[list[int], ...] = (
    [2], [2, 4], [], [0], [0, 5], [8], [3], [1] * 17, [1] * 70, [0, 2**62], [0, 2**63], [0, 2**64], [2**62, 2**62, 0], [4, 4],
)  # fmt: skip
NAMES = (
    "a", "b.weight", "__x__", "x.__class__.y", "", "\u00e9", "\0", "a b", "data_offsets", "dtype", "__metadata", "a" * 300, "../..",
    "\U0001f600",
)  # fmt: skip
METADATA: tuple[Any, ...] = (
    None, {}, {"": "x"}, {"a": "b"}, {"a": None}, {"a": 5}, {"a": {"b": 1}}, [], "x", 5, True, {"a": "\ud800"}, {"\U0001f600": "\0"},
    {"a": ["b"]}, {"__metadata__": "x"}, {"format": "pt" * 1000},
)  # fmt: skip


def entry(dice: random.Random, begin: int) -> tuple[Any, int]:
    """One of a tensor, mostly sound, and where the next one begins."""
    dtype, shape = dice.choice([*BITS, "F33", "f32"]), dice.choice(SHAPES)
    numbers = 1
    for size in shape:
        numbers *= size
    end = begin + -(-numbers * BITS.get(dtype, 32) // 8)
    sound: dict[str, Any] = {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}
    odd: tuple[Any, ...] = (
        {**sound, "extra": 1}, {**sound, "shape": [float(size) for size in shape]}, {**sound, "data_offsets": [begin, end, end]},
        {"shape": shape}, {**sound, "shape": None}, {**sound, "shape": [-1]}, [], [dtype, shape, [begin, end]], None, {**sound, "dtype": 5},
    )  # fmt: skip
    return (dice.choice(odd) if dice.random() < 0.15 else sound), end


def texts(dice: random.Random, table: Any) -> str:
    """The table as JSON, sometimes in an unusual spelling, with something twice, or broken."""
    text = json.dumps(table, ensure_ascii=dice.random() < 0.5)
    spellings = (
        text.replace("{", "{ \n\t", 1), text + " " * 9, " " + text, text + "\n\0", "\ufeff" + text, text.replace(": ", ":-", 1),
        text.replace("[0,", "[-0,", 1), text.replace("[0,", "[00,", 1), text.replace("}", ",}", 1), text.replace("dtype", "d\\u0074ype", 1),
        text.replace("2", "2.0", 1), text.replace("2", "2e0", 1), text.replace('"a"', "NaN", 1),
        "{" + text[1:-1] + "," + text[1:-1] + "}" if len(text) > 2 else text,
    )  # fmt: skip
    return dice.choice(spellings) if dice.random() < 0.3 else text


def made(dice: random.Random) -> bytes:
    table: Any = {"__metadata__": dice.choice(METADATA)} if dice.random() < 0.7 else {}
    end = 0
    for _ in range(dice.randint(0, 3)):
        told, end = entry(dice, end)
        table[dice.choice(NAMES)] = told
    text = texts(dice, dice.choice(([], None, 5, "x")) if dice.random() < 0.03 else table).encode("utf-8", "surrogatepass")
    return struct.pack("<Q", len(text)) + text + bytes(max(0, end + dice.choice((0,) * 20 + (-1, 1, 8))))


def as_the_library_reads(file: Path) -> set[str] | None:
    """The names of those tensors that a network could have; None when it refuses the file."""
    try:
        with safe_open(file, "pt") as library:
            shapes = {name: library.get_slice(name).get_shape() for name in library.keys()}  # noqa: SIM118 - it is no table
    except (SafetensorError, OSError, ValueError):
        return None
    usual = {name for name, shape in shapes.items() if len(shape) <= MOST_DIMENSIONS and all(size < 2**62 for size in shape)}
    return {name for name in usual if not name.startswith("__") and ".__" not in name}


@pytest.mark.parametrize("seed", range(4))
def test_random_headers_are_read_as_the_library_reads_them(tmp_path: Path, seed: int) -> None:
    dice, file, opened = random.Random(seed), tmp_path / "any.safetensors", 0
    for _ in range(700):
        file.write_bytes(made(dice))
        wanted = as_the_library_reads(file)
        try:
            found = set(read_header(file).tensors)
        except Damaged as refused:
            assert wanted is None, (str(refused), file.read_bytes()[:400])
            assert "any.safetensors" in str(refused) and str(tmp_path) not in str(refused)
        else:
            assert found == wanted, file.read_bytes()[:400]
            opened += 1
    assert 100 < opened < 600
