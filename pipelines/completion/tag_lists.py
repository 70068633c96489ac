"""Tag lists that people have, as the known extensions for completion use them: CSV files, a tag a line, with counts and other names.

    1girl,0,4114588,"1girls,sole_female"      name, category, count, other names
    long_hair,2896934                         name, count
    masterpiece,5,Quality tag,                name, category, a note
    one_tag                                   a text file: names alone

What begins as was typed stands together in a sorted list. Words within are looked for in one text of all tags, those that are used most in
front, so that the first places are the ones that are wanted; to look through 200,000 is to look through a few megabytes.
"""

from __future__ import annotations

import csv
import heapq
import io
import logging
import os
import re
import threading
import time
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)

# Below a folder of models: our own, and that of A1111's extension beside it.
PLACES = ("tags", "extensions/a1111-sd-webui-tagcomplete/tags")
ENDINGS = (".csv", ".txt")
LARGEST = 64_000_000  # bytes of a file
MOST = 1_000_000  # tags of all files together
LONGEST = 200  # letters of a name
MOST_NAMES = 30  # of one tag
LOOK_EVERY = 5.0  # seconds between looks at the folders
STARTS = 8  # times as much counts a tag that begins with what was typed as one in which a later word does
INNER = " (-/."  # stand before a later word of a tag
LAST = "\U0010ffff"  # behind all letters
LETTERS = re.compile(r"[^\W\d_]")

_Known = tuple[str, tuple[int, tuple[str, ...]]]  # name, count, other names
File = tuple[str, int, int]  # path, time of the last change in nanoseconds, bytes


@dataclass(frozen=True, slots=True)
class Tag:
    """`called`: the other name by which it was found, or ""."""

    name: str
    count: int
    called: str = ""


class TagList:
    """Tags and their other names in order of their letters, for what begins so; and the tags as one text, those that are used most in
    front, for the words within. `tags`: (name, count, other names) each; of a name that comes twice the larger count is kept.
    """

    def __init__(self, tags: Iterable[tuple[str, int, Sequence[str]]] = ()) -> None:
        known: dict[str, tuple[int, tuple[str, ...]]] = {}
        for name, count, others in tags:
            before = known.get(name, (0, ()))
            known[name] = max(count, before[0]), (*before[1], *(each for each in others if each not in before[1]))
        ordered = list(_by_use(known.items()))
        self._tags = [(name, count) for name, (count, _) in ordered]
        lines = [folded(name) for name, _ in ordered]
        pairs = [f"{name}\0{line}\0" for line, name in enumerate(lines)]
        pairs += [f"{folded(other)}\0{line}\0{other}" for line, (_, (_, others)) in enumerate(ordered) for other in others]
        self._names: list[str] = []
        self._lines, self._called = array("I"), list[str]()
        for name, line, other in (each.split("\0") for each in _in_order(pairs)):
            self._names.append(name)
            self._lines.append(int(line))
            self._called.append(other)
        self._text = "\n" + "\n".join(lines) + "\n"
        self._starts = _starts(lines)

    def __len__(self) -> int:
        return len(self._tags)

    def find(self, typed: str, most: int, words: bool = True) -> list[Tag]:
        """The tags that begin so, and with `words` those in which a later word does, by how much they are used."""
        wanted = folded(typed)
        if not wanted.strip() or not self._tags:
            return []
        called = self._begin(wanted, most)
        within = [line for line in self._within(wanted, most) if line not in called] if words else []
        scores = {line: 1 if other else STARTS for line, other in called.items()} | dict.fromkeys(within, 1)
        best = sorted(scores, key=lambda line: (-self._tags[line][1] * scores[line], line))[:most]
        return [Tag(*self._tags[line], called.get(line, "")) for line in best]

    def _begin(self, wanted: str, most: int) -> dict[int, str]:
        """The lines of the tags that begin so, those that are used most first, and by which other name."""
        first, last = bisect_left(self._names, wanted), bisect_left(self._names, wanted + LAST)
        places = heapq.nsmallest(2 * most, range(first, last), key=self._lines.__getitem__)
        found: dict[int, str] = {}
        for place in places:
            line, other = self._lines[place], self._called[place]
            found[line] = other if found.get(line, other) else ""  # its own name counts before all others
        return found

    def _within(self, wanted: str, most: int) -> Iterator[int]:
        """The first lines in which a later word begins so."""
        place, last, found = 0, -1, 0
        while found < most and (place := self._text.find(wanted, place + 1)) >= 0:
            if self._text[place - 1] in INNER and (line := bisect_right(self._starts, place) - 1) != last:
                found += 1
                last = line
                yield line


def _in_order(texts: Iterable[str]) -> Iterator[str]:
    """Sorted in small heaps: while half a million are sorted at once, no other thread of the studio would run for a second."""
    heaps: dict[str, list[str]] = {}
    for each in texts:
        heaps.setdefault(each[:3], []).append(each)
    return (each for head in sorted(heaps) for each in sorted(heaps[head]))


def _by_use(tags: Iterable[_Known]) -> Iterator[_Known]:
    """Those that are used most first, sorted in small heaps as well."""
    heaps: dict[int, list[_Known]] = {}
    for each in tags:
        heaps.setdefault(each[1][0].bit_length(), []).append(each)
    return (each for head in sorted(heaps, reverse=True) for each in sorted(heaps[head], key=_use))


def _use(each: _Known) -> int:
    return -each[1][0]


def _starts(lines: Sequence[str]) -> array[int]:
    place, found = 1, array("I")
    for line in lines:
        found.append(place)
        place += len(line) + 1
    return found


def folded(text: str) -> str:
    """In one form for all its spellings."""
    return text.casefold().replace("_", " ").replace("\t", " ").replace("\n", " ")


def spoken(name: str) -> str:
    """A tag as it is written in a prompt: with spaces, but for those that are drawn of signs, as ^_^ is."""
    return name.replace("_", " ") if LETTERS.search(name) and len(name) > 3 else name


class TagFolders:
    """Safe to call from any thread. Files are read in the background, and again when they have changed; until then what was is offered."""

    def __init__(self, roots: Sequence[Path]) -> None:
        """`roots`: folders of models."""
        self._folders = [root / place for root in roots for place in PLACES]
        self._lock = threading.Lock()
        self._files: tuple[File, ...] = ()
        self._list = TagList()
        self._looked = -LOOK_EVERY
        self._reading: threading.Thread | None = None

    def tags(self, wait: bool = False) -> TagList:
        """`wait`: for what is being read."""
        with self._lock:
            if time.monotonic() - self._looked > LOOK_EVERY and not (self._reading and self._reading.is_alive()):
                self._looked = time.monotonic()
                self._reading = threading.Thread(target=self._look, name="tag lists", daemon=True)
                self._reading.start()
            reading = self._reading
        if wait and reading:
            reading.join()
        return self._list

    def _look(self) -> None:
        files = tuple(each for folder in self._folders for each in _files(folder))
        if files != self._files:
            self._list = TagList(_first(MOST, (tag for path, _, _ in files for tag in read_tags(Path(path)))))
            self._files = files


def _files(folder: Path) -> Iterator[File]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and not path.name.startswith("."))
        for path in paths:
            status = path.stat()
            if status.st_size <= LARGEST and path.is_file():
                yield os.fspath(path), status.st_mtime_ns, status.st_size
    except OSError:
        return


def _first(most: int, tags: Iterable[tuple[str, int, Sequence[str]]]) -> Iterator[tuple[str, int, Sequence[str]]]:
    for number, tag in enumerate(tags):
        if number == most:
            log.warning("there are more than %d tags in the lists; the rest was left out", most)
            return
        yield tag


def read_tags(path: Path) -> list[tuple[str, int, tuple[str, ...]]]:
    """Name, count and other names of each tag of a file. Lines that cannot be read are left out; so is a file that cannot."""
    try:
        text = path.read_bytes().decode("utf-8-sig", "replace").replace("\0", "")
        if path.suffix.lower() == ".txt":
            return [(name, 0, ()) for line in text.splitlines() if (name := line.strip()) and len(name) <= LONGEST and name[0] != "#"]
        return [tag for row in csv.reader(io.StringIO(text)) if (tag := _tag(row))]
    except (OSError, csv.Error) as error:
        log.warning("the tag list %s cannot be read: %s", path.name, error)
        return []


def _tag(row: Sequence[str]) -> tuple[str, int, tuple[str, ...]] | None:
    name = row[0].strip() if row else ""
    if not name or len(name) > LONGEST:
        return None
    counts = [int(cell) for cell in row[1:3] if cell.strip().isascii() and cell.strip().isdigit() and len(cell) < 16]
    count = counts[-1] if len(counts) == 2 or len(row) == 2 else 0  # one number among more is the category
    others = [other.strip() for other in (row[3] if len(row) > 3 else "").split(",")]
    return name, count if counts else 0, tuple(other for other in others if other and len(other) <= LONGEST)[:MOST_NAMES]
