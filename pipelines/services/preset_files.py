"""Presets that people keep, in lists of their own (`person_files.py`), and their pictures beside them, small.

outputs/.presets/9f86d081884c7d65.json
outputs/.presets/9f86d081884c7d65/5994471abb01112a.webp     by its content
"""

from __future__ import annotations

import hashlib
import logging
import re
import secrets
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from models.errors import UserError
from models.json_values import text
from pipelines.gallery.thumbs import small
from pipelines.images.decode import normalise
from pipelines.presets.preset import LONGEST, LONGEST_NAME, Preset, checked, read_preset
from pipelines.services.person_files import Entry, ListWords, PersonFiles, name_of, named

log = logging.getLogger(__name__)

FOLDER = ".presets"
MOST = 2_000  # of one person
LARGEST_FILE = MOST * LONGEST  # bytes
UNKNOWN = "There is no such preset any more: it was deleted, perhaps in another window."
PICTURE = re.compile(r"[0-9a-f]{16}")


class PresetFiles:
    """Safe to call from any thread."""

    def __init__(self, folder: Path, room: Callable[[str, int], None]) -> None:
        """`room`: raises `UserError` where a person has no room on the disk for so many bytes more."""
        self._folder, self._room = folder / FOLDER, room
        self._files = PersonFiles(self._folder, ListWords("presets", "presets", "preset"), LARGEST_FILE)

    def all(self, user: str) -> list[Preset]:
        """By name."""
        return sorted(map(_preset, self._files.read(user)), key=lambda each: each.name.casefold())

    def some(self, user: str, ids: Sequence[str]) -> list[Preset]:
        """In this order. Raises `UserError` for one that is not there."""
        known = {each.id: each for each in self.all(user)}
        if not all(each in known for each in ids):
            raise UserError(UNKNOWN)
        return [known[each] for each in ids]

    def save(self, user: str, preset: Preset) -> str:
        """A new one, or another in the place of the one with its id; its picture stays. Returns the id. Raises `UserError`."""
        kept = checked(replace(preset, name=named(preset.name, "the preset", LONGEST_NAME)))
        self._room(user, LONGEST)
        if not preset.id:
            return self.add(user, [kept])[0]

        def put(entries: list[Entry]) -> list[Entry]:
            if not any(each.get("id") == kept.id for each in entries):
                raise UserError(UNKNOWN)
            return [{**_entry(kept), "picture": text(each, "picture")} if each.get("id") == kept.id else each for each in entries]

        self._files.change(user, put)
        return kept.id

    def add(self, user: str, presets: Sequence[Preset]) -> list[str]:
        """New ones; one whose name is taken gets a number. Returns their ids."""
        fresh = [replace(each, id=secrets.token_urlsafe(8)) for each in presets]

        def put(entries: list[Entry]) -> list[Entry]:
            if len(entries) + len(fresh) > MOST:
                raise UserError(f"You have {len(entries):,} presets, and {MOST:,} are the most. Delete some first.")
            taken = {text(each, "name") for each in entries}
            return [*entries, *(_entry(_renamed(each, taken)) for each in fresh)]

        self._files.change(user, put)
        return [each.id for each in fresh]

    def delete(self, user: str, ids: Collection[str]) -> None:
        gone: list[str] = []

        def without(entries: list[Entry]) -> list[Entry]:
            left = [each for each in entries if each.get("id") not in ids]
            if len(left) == len(entries):
                raise UserError(UNKNOWN)
            kept = {text(each, "picture") for each in left}
            gone.extend(picture for each in entries if (picture := text(each, "picture")) and picture not in kept)
            return left

        self._files.change(user, without)
        for picture in gone:
            with suppress(OSError):
                self._place(user, picture).unlink(missing_ok=True)

    # ---- pictures ----------------------------------------------------------------------------------------------------------

    def set_picture(self, user: str, preset_id: str, data: bytes) -> None:
        """`data`: a picture in any format that is taken; b"": none any more. Raises `UserError`."""
        self.set_pictures(user, {preset_id: data})

    def set_pictures(self, user: str, pictures: dict[str, bytes]) -> None:
        """The same of several, by the ids of their presets."""
        kept = {preset_id: self._keep(user, data) if data else "" for preset_id, data in pictures.items()}

        def put(entries: list[Entry]) -> list[Entry]:
            return [{**each, "picture": kept[own]} if (own := text(each, "id")) in kept else each for each in entries]

        self._files.change(user, put)

    def picture(self, user: str, preset_id: str) -> bytes:
        """A WebP. Raises `UserError` where there is none."""
        name = next((text(each, "picture") for each in self._files.read(user) if each.get("id") == preset_id), "")
        try:
            return self._place(user, name).read_bytes() if PICTURE.fullmatch(name) else b""
        except OSError as error:
            raise UserError("The picture of this preset is not there any more.") from error

    def bytes_of(self, user: str) -> int:
        files = [self._files.path(user), *(self._folder / name_of(user)).glob("*.webp")]
        return sum(path.stat().st_size for path in files if path.exists())

    def _keep(self, user: str, data: bytes) -> str:
        made = small(normalise(data).image)
        name = hashlib.sha256(made).hexdigest()[:16]
        self._room(user, len(made))
        path = self._place(user, name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_suffix(".part").write_bytes(made)
            path.with_suffix(".part").replace(path)
        except OSError as error:
            log.error("the picture of a preset cannot be written: %s", error)
            raise UserError("The picture could not be saved: the disk is full or cannot be written. Make room, then try again.") from error
        return name

    def _place(self, user: str, name: str) -> Path:
        return self._folder / name_of(user) / f"{name}.webp"


def _entry(preset: Preset) -> Entry:
    return {**preset.told(), "id": preset.id, "picture": preset.picture}


def _renamed(preset: Preset, taken: set[str]) -> Preset:
    name, count = preset.name, 1
    while name in taken:
        count += 1
        name = f"{preset.name[: LONGEST_NAME - 6]} ({count})"
    taken.add(name)
    return replace(preset, name=name)


def _preset(entry: Entry) -> Preset:
    """Whatever a file holds. One that cannot be read adds nothing."""
    known = Preset(text(entry, "name")[:LONGEST_NAME] or "(no name)", id=text(entry, "id"), picture=text(entry, "picture"))
    try:
        return replace(read_preset(entry), name=known.name, id=known.id, picture=known.picture)
    except (UserError, ValueError, TypeError, RecursionError) as error:
        return replace(known, note=str(error))
