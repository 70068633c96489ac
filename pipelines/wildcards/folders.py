"""Folders of wildcards: text files, a line a choice, and YAML files. They are read again when they have changed."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.errors import UserError
from models.safe_text import shown
from pipelines.wildcards.shelf import Collection, Lines, Shelf, line_of
from pipelines.wildcards.yaml_file import read_yaml

# Below a folder of models: our own, and that of A1111's extension.
PLACES = ("wildcards", "extensions/sd-dynamic-prompts/wildcards")
TEXT, YAML = (".txt",), (".yaml", ".yml")
LARGEST = {TEXT: 5_000_000, YAML: 1_000_000}  # bytes
MOST_LINES = 100_000
MOST_FILES = 20_000
DEEPEST = 8  # folders in one another
LOOKED = 2.0  # seconds for which a look at the folders holds


@dataclass(frozen=True, slots=True)
class _File:
    """`mark`: time and bytes, other ones when it has changed."""

    path: str
    name: str  # with its folders, without its ending
    mark: tuple[int, int]


class WildcardFolders:
    """Safe to call from any thread."""

    def __init__(self, roots: Sequence[Path]) -> None:
        """`roots`: folders of models."""
        self._roots = [root / place for root in roots for place in PLACES]
        self._lock = threading.Lock()
        self._files: dict[_File, tuple[list[Collection], str]] = {}  # what was read, and what is wrong
        self._shelf = Shelf([])
        self._looked = -LOOKED

    def shelf(self, fresh: bool = False) -> Shelf:
        """What there is; as it was a moment ago, if it need not be fresh. Of several files of one name that of the first folder counts."""
        with self._lock:
            if fresh or time.monotonic() - self._looked > LOOKED:
                self._look()
                self._looked = time.monotonic()
            return self._shelf

    def _look(self) -> None:
        files = {each: None for root in self._roots for each in _files(root)}
        if files.keys() == self._files.keys():
            return
        self._files = {each: self._files.get(each) or _open(each) for each in files}
        found = [collection for collections, _ in self._files.values() for collection in collections]
        self._shelf = Shelf(reversed(found), [note for _, note in self._files.values() if note])


def _files(root: Path) -> Iterator[_File]:
    waiting, seen, count = [(root, "", 0)], set[tuple[int, int]](), 0
    while waiting:
        folder, path, depth = waiting.pop(0)
        for entry in _entries(folder, seen):
            base, ending = os.path.splitext(entry.name)
            status = _status(entry)
            if status is None or entry.name.startswith("."):
                continue
            if stat.S_ISDIR(status.st_mode) and depth < DEEPEST:
                waiting.append((Path(entry.path), f"{path}{entry.name}/", depth + 1))
            elif stat.S_ISREG(status.st_mode) and ending.lower() in (*TEXT, *YAML) and count < MOST_FILES:
                count += 1
                yield _File(entry.path, path + base, (status.st_mtime_ns, status.st_size))


def _entries(folder: Path, seen: set[tuple[int, int]]) -> list[os.DirEntry[str]]:
    """In order; none of a folder that is not there, or that a link leads back to."""
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen:
            return []
        seen.add((status.st_dev, status.st_ino))
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []


def _status(entry: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return entry.stat()
    except OSError:
        return None


def _open(file: _File) -> tuple[list[Collection], str]:
    """A text file is read when it is asked for; what names a YAML file has is only known when it was read."""
    if file.path.lower().endswith(TEXT):
        return [Collection(file.name, lambda: _text_lines(file))], ""
    folder, _, stem = file.name.rpartition("/")
    try:
        named = read_yaml(_text(file, LARGEST[YAML]), stem)
    except UserError as error:
        return [], f"The file “{shown(os.path.basename(file.path))}” cannot be used: {error}."
    return [Collection(f"{folder}/{name}".strip("/"), lines) for name, lines in named], ""


def _text_lines(file: _File) -> Lines:
    try:
        lines = [line.strip() for line in _text(file, LARGEST[TEXT]).splitlines()]
    except UserError as error:
        raise UserError(f"The wildcard “{file.name}” cannot be used: {error}.") from error
    kept = [line_of(line) for line in lines if line and not line.startswith("#")]
    if len(kept) > MOST_LINES:
        raise UserError(f"The wildcard “{file.name}” has {len(kept):,} lines; {MOST_LINES:,} are the most. Divide it.")
    return kept


def _text(file: _File, largest: int) -> str:
    """Raises `UserError` with the end of a sentence."""
    if file.mark[1] > largest:
        raise UserError(f"it is larger than {largest // 1_000_000} MB")
    try:
        return _bytes(file).decode("utf-8-sig", "replace").replace("\0", "")
    except OSError as error:
        raise UserError(f"it cannot be read ({error.strerror})") from error


def _bytes(file: _File) -> bytes:
    """As many as it had when it was looked at. Room for the largest file there may be would cost more than reading ten thousand."""
    handle = os.open(file.path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        found = b""
        while len(found) < file.mark[1] and (more := os.read(handle, file.mark[1] - len(found))):
            found += more
        return found
    finally:
        os.close(handle)
