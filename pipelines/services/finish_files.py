"""Finishes that people have saved: a small JSON file a person, beside the pictures, written whole or not at all.

    outputs/.finishes/9f86d081884c7d65.json     {"finishes": [{"format": 1, "id": ..., "name": ..., "starts": ..., "steps": [...]}]}

What this version cannot read stays in the file as it is, and is listed with a sentence.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import secrets
import threading
from dataclasses import dataclass
from pathlib import Path

from models.errors import UserError
from models.json_values import is_list, is_table, table, text
from pipelines.requests.finish import DAMAGED, FORMAT, NEWER, FinishStep, read_steps

log = logging.getLogger(__name__)

FOLDER = ".finishes"
LONGEST_NAME = 100  # letters
LONGEST = 100_000  # letters of one finish, its prompts among them
MOST = 50  # of one person
LARGEST_FILE = 2 * MOST * LONGEST  # bytes
BY_HAND, FAVOURITES, FIVE_STARS = "", "favourite", "stars"
STARTS = (BY_HAND, FAVOURITES, FIVE_STARS)
UNKNOWN = "There is no such finish any more: it was deleted, perhaps in another window."
UNWRITTEN = "The finish could not be saved: the disk is full or cannot be written. Make room, then try again."

Entry = dict[str, object]  # of a file


@dataclass(frozen=True)
class Finish:
    """A finish that was saved. `starts`: when it begins by itself, one of `STARTS`. `note`: why it cannot be read, or ""."""

    id: str
    name: str
    steps: tuple[FinishStep, ...]
    starts: str = BY_HAND
    note: str = ""


class FinishFiles:
    """Safe to call from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / FOLDER
        self._lock = threading.Lock()

    def all(self, user: str) -> list[Finish]:
        """In the order in which they were made."""
        return [_finish(entry) for entry in self._read(user)]

    def one(self, user: str, finish_id: str) -> Finish:
        """Raises `UserError` when it is not there, or cannot be read."""
        found = next((each for each in self.all(user) if each.id == finish_id), None)
        if found is None:
            raise UserError(UNKNOWN)
        if found.note:
            raise UserError(found.note)
        return found

    def save(self, user: str, name: str, steps: tuple[FinishStep, ...], starts: str = BY_HAND, finish_id: str = "") -> str:
        """A new one, or another in the place of the one with this id. Returns its id. Raises `UserError`."""
        finish = Finish(finish_id or secrets.token_urlsafe(8), _named(name), steps, _start(starts))
        entry = _entry(finish)
        with self._lock:
            entries = self._read(user)
            places = [place for place, each in enumerate(entries) if each.get("id") == finish.id]
            if finish_id and not places:
                raise UserError(UNKNOWN)
            if not places and len(entries) >= MOST:
                raise UserError(f"You have {len(entries)} finishes, which is the most. Delete one first.")
            self._write(user, [*entries[: places[0]], entry, *entries[places[0] + 1 :]] if places else [*entries, entry])
        return finish.id

    def delete(self, user: str, finish_id: str) -> None:
        with self._lock:
            entries = self._read(user)
            left = [each for each in entries if each.get("id") != finish_id]
            if len(left) == len(entries):
                raise UserError(UNKNOWN)
            self._write(user, left)

    def _path(self, user: str) -> Path:
        return self._folder / f"{hashlib.sha256(user.encode('utf-8', 'replace')).hexdigest()[:16]}.json"

    def _read(self, user: str) -> list[Entry]:
        """Nothing where there is no file. Raises `UserError` for one that cannot be read, so that nothing is written over it."""
        path = self._path(user)
        try:
            if path.stat().st_size > LARGEST_FILE:
                raise ValueError("too large")
            found = table(json.loads(path.read_text("utf-8"))).get("finishes")
            if not is_list(found):
                raise ValueError("no list")
        except FileNotFoundError:
            return []
        except (OSError, ValueError, RecursionError) as error:
            log.warning("finishes cannot be read: %s", error)
            raise UserError(
                f"Your finishes cannot be read: the file {FOLDER}/{path.name} beside the pictures is damaged. Move it away."
            ) from error
        return [each for each in found if is_table(each)]

    def _write(self, user: str, entries: list[Entry]) -> None:
        path = self._path(user)
        part = path.with_suffix(".part")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with part.open("w", encoding="utf-8") as file:
                json.dump({"finishes": entries}, file, ensure_ascii=False, indent=1)
                file.flush()
                os.fsync(file.fileno())
            os.replace(part, path)
        except OSError as error:
            log.error("finishes cannot be written: %s", error)
            raise UserError(UNWRITTEN) from error


def _entry(finish: Finish) -> Entry:
    steps = [each.told() for each in finish.steps]
    entry: Entry = {"format": FORMAT, "id": finish.id, "name": finish.name, "starts": finish.starts, "steps": steps}
    if (length := len(json.dumps(entry))) > LONGEST:
        raise UserError(f"This finish holds {length:,} letters; {LONGEST:,} are the most. Shorten the prompts of its steps.")
    return entry


def _finish(entry: Entry) -> Finish:
    """Whatever a file holds. One that cannot be read has no steps."""
    known = text(entry, "id"), text(entry, "name")[:LONGEST_NAME] or "(no name)"
    if entry.get("format") != FORMAT:
        return Finish(*known, (), note=NEWER)
    try:
        return Finish(*known, read_steps(entry.get("steps")), _start(text(entry, "starts")))
    except (UserError, ValueError, TypeError, RecursionError):
        return Finish(*known, (), note=DAMAGED)


def _named(name: str) -> str:
    clean = " ".join(name.replace("\0", "").encode("utf-8", "ignore").decode().split())
    if not clean:
        raise UserError("Give the finish a name.")
    if len(clean) > LONGEST_NAME:
        raise UserError(f"A name has {LONGEST_NAME} letters at most, and this one has {len(clean):,}. Shorten it.")
    return clean


def _start(starts: str) -> str:
    if starts not in STARTS:
        raise UserError("A finish begins by hand, for favourites, or for pictures with five stars.")
    return starts
