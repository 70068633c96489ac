"""Finishes that people have saved, in lists of their own (`person_files.py`). What this version cannot read is listed with a sentence."""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from pathlib import Path

from models.errors import UserError
from models.json_values import text
from pipelines.requests.finish import DAMAGED, FORMAT, NEWER, FinishStep, read_steps
from pipelines.services.person_files import Entry, ListWords, PersonFiles, named

FOLDER = ".finishes"
LONGEST_NAME = 100  # letters
LONGEST = 100_000  # letters of one finish, its prompts among them
MOST = 50  # of one person
BY_HAND, FAVOURITES, FIVE_STARS = "", "favourite", "stars"
STARTS = (BY_HAND, FAVOURITES, FIVE_STARS)
UNKNOWN = "There is no such finish any more: it was deleted, perhaps in another window."


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
        self._files = PersonFiles(folder / FOLDER, ListWords("finishes", "finishes", "finish"), 2 * MOST * LONGEST)

    def all(self, user: str) -> list[Finish]:
        """In the order in which they were made."""
        return [_finish(entry) for entry in self._files.read(user)]

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
        named_so = named(name, "the finish", LONGEST_NAME)
        finish = Finish(finish_id or secrets.token_urlsafe(8), named_so, steps, _start(starts))
        entry = _entry(finish)

        def put(entries: list[Entry]) -> list[Entry]:
            places = [place for place, each in enumerate(entries) if each.get("id") == finish.id]
            if finish_id and not places:
                raise UserError(UNKNOWN)
            if not places and len(entries) >= MOST:
                raise UserError(f"You have {len(entries)} finishes, which is the most. Delete one first.")
            return [*entries[: places[0]], entry, *entries[places[0] + 1 :]] if places else [*entries, entry]

        self._files.change(user, put)
        return finish.id

    def delete(self, user: str, finish_id: str) -> None:
        def without(entries: list[Entry]) -> list[Entry]:
            left = [each for each in entries if each.get("id") != finish_id]
            if len(left) == len(entries):
                raise UserError(UNKNOWN)
            return left

        self._files.change(user, without)


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


def _start(starts: str) -> str:
    if starts not in STARTS:
        raise UserError("A finish begins by hand, for favourites, or for pictures with five stars.")
    return starts
