"""Content hashes of the library's files, each worked out once and kept for as long as the file stays as it is."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path

from models.errors import UserError
from models.files import ModelFile
from models.library.checkpoint import weight_files
from models.library.hashes import Digests, file_digests
from models.library.index import Index
from models.library.listing import mark_now

MOST_READ = 4 * 2**30  # bytes of files that are read to find one by its hash: some seconds


class Contents:
    """Safe to call from any thread."""

    def __init__(self, index: Index, told: Callable[[str, Digests], None]) -> None:
        """`told`: called with a file's mark when its hashes have become known."""
        self._index = index
        self._told = told
        self._digests = dict(index.hashes())
        self._changing = threading.Lock()
        self._reading: dict[str, threading.Lock] = {}

    def known(self, fingerprint: str) -> Digests:
        return self._digests.get(fingerprint, Digests())

    def learn(self, fingerprint: str, digests: Digests) -> None:
        """Somebody who has read the file says so; it is not kept beyond this run."""
        with self._changing:
            self._digests[fingerprint] = digests

    def of(self, entry: ModelFile) -> Digests:
        """Reads the whole file, unless it is known. Raises `UserError` when it cannot be read."""
        try:
            fingerprint = mark_now(entry.path)
            with self._lock(entry.id):
                digests = self.known(fingerprint) if all(self.known(fingerprint)) else file_digests(_content(entry.path))
            if mark_now(entry.path) != fingerprint:
                raise UserError(f"“{entry.name}” was changed while it was read. Try again when it is whole.")
        except OSError as error:
            raise UserError(f"“{entry.name}” cannot be read ({error.strerror}). Is it still there?") from error
        self._keep(fingerprint, digests)
        return digests

    def file(self, path: Path) -> str:
        """SHA-256 of a file that is in no table. Raises `UserError` when it cannot be read."""
        try:
            fingerprint = mark_now(path)
            digests = self.known(fingerprint) if all(self.known(fingerprint)) else file_digests(path)
        except OSError as error:
            raise UserError(f"“{path.name}” cannot be read ({error.strerror}). Is it still there?") from error
        self._keep(fingerprint, digests)
        return digests.whole

    def first(self, entries: Iterable[ModelFile], digest: str) -> list[ModelFile]:
        """The first whose content begins with these digits, if any. Reads at most 4 GiB."""
        room = MOST_READ
        for entry in entries:
            room -= entry.size
            with suppress(UserError):
                if room >= 0 and self.of(entry).agree(digest):
                    return [entry]
        return []

    def _lock(self, model_id: str) -> threading.Lock:
        with self._changing:
            return self._reading.setdefault(model_id, threading.Lock())

    def _keep(self, fingerprint: str, digests: Digests) -> None:
        with self._changing:
            is_news = self._digests.get(fingerprint) != digests
            self._digests[fingerprint] = digests
        if is_news:
            self._index.keep_hash(fingerprint, digests)
            self._told(fingerprint, digests)


def _content(path: Path) -> Path:
    """The file by whose hash a model is named."""
    if not path.is_dir():
        return path
    named = [file for file in weight_files(path) if file.parent.name == "unet" or file.parent == path]
    if not named:
        raise UserError("The model has no weights of a UNet. Copy it again.")
    return named[0]
