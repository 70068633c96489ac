"""Lists that a person keeps: a small JSON file a person, beside the pictures, written whole or not at all.

    outputs/.finishes/9f86d081884c7d65.json     {"finishes": [{...}, {...}]}

An entry that this version cannot read stays in the file as it is.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.errors import UserError
from models.json_values import is_list, is_table, table

log = logging.getLogger(__name__)

Entry = dict[str, object]  # of a file


@dataclass(frozen=True)
class ListWords:
    """What a list of one kind is called. `key`: in the file; `several`, `one`: in a sentence."""

    key: str
    several: str
    one: str


class PersonFiles:
    """Safe to call from any thread."""

    def __init__(self, folder: Path, words: ListWords, largest: int) -> None:
        """`folder`: of these files alone. `largest`: bytes of a file that is read."""
        self._folder, self._words, self._largest = folder, words, largest
        self._lock = threading.Lock()

    def read(self, user: str) -> list[Entry]:
        """Nothing where there is no file. Raises `UserError` for one that cannot be read, so that nothing is written over it."""
        path = self.path(user)
        try:
            if path.stat().st_size > self._largest:
                raise ValueError("too large")
            found = table(json.loads(path.read_text("utf-8"))).get(self._words.key)
            if not is_list(found):
                raise ValueError("no list")
        except FileNotFoundError:
            return []
        except (OSError, ValueError, RecursionError) as error:
            log.warning("%s cannot be read: %s", self._words.several, error)
            place = f"{path.parent.name}/{path.name}"
            raise UserError(
                f"Your {self._words.several} cannot be read: the file {place} beside the pictures is damaged. Move it away."
            ) from error
        return [each for each in found if is_table(each)]

    def change(self, user: str, act: Callable[[list[Entry]], list[Entry]]) -> None:
        """Writes what `act` makes of the list; one change of a list at a time. Raises `UserError`, and what `act` raises."""
        with self._lock:
            before = self.read(user)
            after = act([*before])
            if after != before:
                self._write(user, after)

    def path(self, user: str) -> Path:
        return self._folder / f"{name_of(user)}.json"

    def _write(self, user: str, entries: list[Entry]) -> None:
        path = self.path(user)
        part = path.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with part.open("w", encoding="utf-8") as file:
                json.dump({self._words.key: entries}, file, ensure_ascii=False, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except OSError as error:
            log.error("%s cannot be written: %s", self._words.several, error)
            raise UserError(
                f"The {self._words.one} could not be saved: the disk is full or cannot be written. Make room, then try again."
            ) from error


def name_of(user: str) -> str:
    """What a person's files are called: nothing in it says who that is."""
    return hashlib.sha256(user.encode("utf-8", "replace")).hexdigest()[:16]


def named(name: str, what: str, longest: int) -> str:
    """A name as it is kept. Raises `UserError` for none, and for one that is too long. `what`: "the finish"."""
    clean = " ".join(name.replace("\0", "").encode("utf-8", "ignore").decode().split())
    if not clean:
        raise UserError(f"Give {what} a name.")
    if len(clean) > longest:
        raise UserError(f"A name has {longest} letters at most, and this one has {len(clean):,}. Shorten it.")
    return clean
