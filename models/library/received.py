"""Files known by content: those that lie in folders of people's own, under whatever names, and those that came in ranges and are kept
within a budget.

    received/9f86…0a08/whole     64 hexadecimal digits: SHA-256 of all its bytes. The folder's time is when it was last needed
    received/9f86…0a08/part      of one that is on its way, or was broken off: its beginning
"""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Protocol

from models.errors import UserError
from models.library.hashes import BLOCK

log = logging.getLogger(__name__)

DIGEST = re.compile(r"[0-9a-f]{64}")
WHOLE, PART = "whole", "part"
MARGIN = 2**28  # bytes of the disk that are left to others
TOO_MUCH = "This takes files of {}, and the device that was to draw it keeps at most {}. Give it more room, or draw elsewhere."
DISK_FULL = "The disk of the device that was to draw this has no room for its files. Make room there, then try again."
NOT_WRITTEN = "The device that was to draw this cannot write into its folder. Allow it there, or give it another one, then try again."
FULL = (errno.ENOSPC, errno.EDQUOT)
ASTRAY = "A part of a file came to a device that did not ask for it. Try again."
OTHERWISE = "A file came to a device otherwise than it was asked for, and was thrown away. Was it changed meanwhile? Try again."


class Hashing(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def hexdigest(self) -> str: ...


class Received:
    """For one thread, and one process a folder."""

    def __init__(
        self, folder: Path, budget: int, own: Sequence[Path] = (), digest_of: Callable[[Path], str] = lambda path: "",
        go_on: Callable[[], None] = lambda: None,
    ) -> None:  # fmt: skip
        """`budget`: bytes that may lie in `folder`. `own`: folders of people's, in which nothing is changed. `digest_of`: SHA-256 of a file
        there; may raise `UserError`. `go_on`: asked again and again while much is read; what it raises ends that.
        """
        self.folder, self.budget = folder, budget
        self._own, self._digest_of, self._go_on = tuple(own), digest_of, go_on
        self._listed: dict[int, list[Path]] | None = None  # people's own, by size, as they lay when it was last asked what is lacking
        self.wanted: dict[str, int] = {}  # what may come: bytes of each, by digest
        self._hashing: dict[str, tuple[int, Hashing]] = {}  # of what is on its way: bytes so far

    def find(self, digest: str, size: int) -> Path | None:
        """A file of this content. Of people's own those of this size are read, once, as long as they stay as they are."""
        path = self._place(digest) / WHOLE
        if _size(path) == size:
            return path
        if self._listed is None:
            self._listed = self._by_size()
        for own in self._listed.get(size, ()):
            with suppress(UserError):
                if self._digest_of(own) == digest:
                    return own
        return None

    def lacks(self, files: Mapping[str, int]) -> dict[str, int]:
        """Of files, digest -> size, those that are not here, with how many bytes of each are; these may come from now on, and there is
        room for them: what was not needed for the longest time has gone for it. Raises `UserError` where there cannot be.
        """
        self._listed = None
        self.wanted = {digest: size for digest, size in files.items() if self.find(digest, size) is None}
        with writing():
            begun = {digest: self._begun(digest, size) for digest, size in self.wanted.items()}
            self._make_room(files, sum(self.wanted.values()) - sum(begun.values()))
        for digest in files:
            with suppress(OSError):
                os.utime(self._place(digest))
        return begun

    def take(self, digest: str, at: int, data: bytes) -> int:
        """The next bytes of a file, from `at` on. Returns how many are here now. Raises `UserError` for what was not asked for, where the
        disk does not take it, and for a file that has come whole and is another.
        """
        size, part = self.wanted.get(digest), self._place(digest) / PART
        if size is None or at != (_size(part) or 0) or at + len(data) > size:
            raise UserError(ASTRAY)
        with writing():
            part.parent.mkdir(parents=True, exist_ok=True)
            hashed = self._hashed(digest, part, at)
            with part.open("ab") as file:
                file.write(data)
                file.flush()
                if at + len(data) == size:
                    os.fsync(file.fileno())
            hashed.update(data)
            self._hashing[digest] = at + len(data), hashed
            if at + len(data) == size:
                self._finish(digest, part, hashed.hexdigest())
        return at + len(data)

    def sizes(self) -> frozenset[int]:
        """Bytes of what lies here or in people's folders."""
        self._listed = self._by_size()
        return frozenset((*self._listed, *(size for _, _, size in self._kept())))

    def clear(self) -> None:
        """Nothing of what has come is here any more."""
        self.wanted, self._hashing = {}, {}
        shutil.rmtree(self.folder, ignore_errors=True)

    # ------------------------------------------------------------------------------------------ on their way

    def _place(self, digest: str) -> Path:
        if not DIGEST.fullmatch(digest):
            raise UserError(ASTRAY)
        return self.folder / digest

    def _begun(self, digest: str, size: int) -> int:
        part = self._place(digest) / PART
        have = _size(part) or 0
        if have < size:
            return have
        part.unlink(missing_ok=True)
        return 0

    def _hashed(self, digest: str, part: Path, size: int) -> Hashing:
        """Of what is here of it; read again where that is not known."""
        known = self._hashing.get(digest)
        if known and known[0] == size:
            return known[1]
        found, left = hashlib.sha256(), size
        if left:
            with part.open("rb") as file:
                while left and (block := file.read(min(BLOCK, left))):
                    self._go_on()
                    found.update(block)
                    left -= len(block)
        return found

    def _finish(self, digest: str, part: Path, found: str) -> None:
        del self._hashing[digest]
        if found != digest:
            part.unlink(missing_ok=True)
            raise UserError(OTHERWISE)
        part.replace(part.with_name(WHOLE))
        del self.wanted[digest]

    # ------------------------------------------------------------------------------------------ the room

    def _make_room(self, needed: Mapping[str, int], more: int) -> None:
        """For so many bytes more, beside what is needed."""
        kept = self._kept()
        own = sum(size for _, digest, size in kept if digest in needed)
        if own + more > self.budget:
            raise UserError(TOO_MUCH.format(_shown(own + more), _shown(self.budget)))
        others, free = [(digest, size) for _, digest, size in kept if digest not in needed], self._free() if more else 0
        if more > free + sum(size for _, size in others):
            raise UserError(DISK_FULL)
        over = max(sum(size for _, _, size in kept) + more - self.budget, more + MARGIN - free if more else 0)
        for digest, size in others:
            if over > 0:
                shutil.rmtree(self.folder / digest, ignore_errors=True)
                self._hashing.pop(digest, None)
                over -= size
        if more and self._free() < more:
            raise UserError(DISK_FULL)

    def _kept(self) -> list[tuple[float, str, int]]:
        """(time, digest, bytes) of what has come, what was not needed for the longest time first."""
        with suppress(OSError):
            places = [entry for entry in os.scandir(self.folder) if DIGEST.fullmatch(entry.name)]
            sizes = {entry: sum(_size(Path(entry.path) / name) or 0 for name in (WHOLE, PART)) for entry in places}
            return sorted((entry.stat().st_mtime, entry.name, size) for entry, size in sizes.items())
        return []

    def _free(self) -> int:
        self.folder.mkdir(parents=True, exist_ok=True)
        return shutil.disk_usage(self.folder).free

    # ------------------------------------------------------------------------------------------ people's own

    def _by_size(self) -> dict[int, list[Path]]:
        """Each file once, however many links lead to its folder."""
        seen, found = set[str](), dict[int, list[Path]]()
        for root in self._own:
            for folder, below, names in os.walk(os.path.realpath(root), followlinks=True):
                self._go_on()
                real = os.path.realpath(folder)
                below[:] = [] if real in seen else sorted(below)
                for path in [Path(folder) / name for name in sorted(names)] if real not in seen else []:
                    if size := _size(path):
                        found.setdefault(size, []).append(path)
                seen.add(real)
        return found


@contextmanager
def writing() -> Generator[None]:
    """What the disk raises inside the block becomes a `UserError`."""
    try:
        yield
    except OSError as error:
        log.error("what was sent could not be written: %s", error)
        raise UserError(DISK_FULL if error.errno in FULL else NOT_WRITTEN) from error


def _size(path: Path) -> int | None:
    """None for what is no file."""
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None


def _shown(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
