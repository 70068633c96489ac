"""Looking through 2,000 model files: cold, with the index of an earlier start, and when nothing has changed. Against parsing each
header with nothing looked at, and against one question for each file's size and time.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.paired import Row, compare, take_turns
from models.library.catalog import Catalog
from tests.support.library_files import write_file

HERE = Path(__file__).parent.parent
FILES = 2000
MODULES = 192  # cross-attentions and their like in a LoRA for SD1, three tensors each
METADATA = {f"ss_setting_{number}": "some value of a training program" for number in range(60)}


def measure(rounds: int) -> list[Row]:
    with _folder() as folder:
        cache = folder / "cache"
        _list(folder, cache)
        standing = Catalog(HERE / "models" / "starter", [folder / "models"], cache)
        standing.rescan(wait=True)
        variants = {
            "one stat a file": lambda: _stat(folder),
            "reading and parsing each header": lambda: _parse(folder),
            "cold": lambda: _list(folder, None),
            "warm, a new start with the index": lambda: _list(folder, cache),
            "warm, everything again": lambda: _timed(lambda: standing.rescan(wait=True)),
            "nothing has changed": lambda: _timed(lambda: standing.models()),
        }
        times = take_turns(variants, min(rounds, 3))
    cold = compare(times, "reading and parsing each header", {"cold": 8.0, "warm, a new start with the index": 0.5})
    return [*cold, *compare(times, "one stat a file", {"warm, everything again": None, "nothing has changed": 2.0})]


def _list(folder: Path, cache: Path | None) -> float:
    """A start: from nothing until everything is listed."""
    begin = time.perf_counter()
    catalog = Catalog(HERE / "models" / "starter", [folder / "models"], cache)
    catalog.rescan(wait=True)
    seconds = time.perf_counter() - begin
    assert len(catalog.models("lora")) >= FILES
    return seconds


def _stat(folder: Path) -> float:
    return _timed(lambda: [entry.stat() for entry in _entries(folder)])


def _parse(folder: Path) -> float:
    """The least that a scan can do: the bytes of the header and JSON's own parser, nothing looked at."""
    return _timed(lambda: [_header(entry) for entry in _entries(folder)])


def _header(entry: os.DirEntry[str]) -> object:
    with open(entry.path, "rb") as stream:
        return json.loads(stream.read(int.from_bytes(stream.read(8), "little")))


def _entries(folder: Path) -> Iterator[os.DirEntry[str]]:
    for place in (folder / "models" / "loras").iterdir():
        with os.scandir(place) as found:
            yield from found


def _timed(work: Callable[[], object]) -> float:
    begin = time.perf_counter()
    work()
    return time.perf_counter() - begin


@contextmanager
def _folder() -> Iterator[Path]:
    """LoRAs of the real number of tensors and amount of metadata, in twenty folders, long enough ago to be settled."""
    folder = Path(tempfile.mkdtemp())
    shapes: dict[str, tuple[int, ...]] = {}
    for number in range(MODULES):
        module = f"lora_unet_down_blocks_0_attentions_0_transformer_blocks_{number}_attn2_to_k"
        shapes |= {f"{module}.lora_down.weight": (4, 768), f"{module}.lora_up.weight": (320, 4), f"{module}.alpha": (1,)}
    try:
        for number in range(FILES):
            write_file(folder / "models" / "loras" / str(number % 20) / f"{number}.safetensors", shapes, METADATA)
        for path in folder.rglob("*"):
            os.utime(path, (1, 1))
        yield folder
    finally:
        shutil.rmtree(folder)
