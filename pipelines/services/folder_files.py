"""Files of a folder that is brought in: which there are, and what each one is and says of itself. Nothing is written but a copy."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from models.errors import UserError
from models.json_values import is_table, table
from pipelines.job_book.brought import Looked, Mark
from pipelines.job_book.rows import request_of
from pipelines.jobs.outputs import Outputs
from pipelines.metadata.picture_settings import of_texts
from pipelines.metadata.picture_texts import ATELIER, COMMENT, DESCRIPTION, PARAMETERS, USER_COMMENT, look
from pipelines.metadata.provenance import SETTINGS_FROM
from pipelines.programs.json_text import as_json
from pipelines.requests.request import Drawing, TextToImage, describe

ENDINGS = {".png": ".png", ".jpg": ".jpg", ".jpeg": ".jpg", ".webp": ".webp", ".avif": ".avif"}
DEEPEST = 60  # folders within folders
MOST_FILES = 1_000_000
LARGEST = 256 * 2**20  # bytes of a file that is opened
PIECE = 16_384  # bytes; of the beginning, the middle and the end of a file, which tell it from all others
WORDS = (PARAMETERS, "Description", DESCRIPTION, USER_COMMENT, COMMENT)
LONGEST_WORDS = 20_000

FileFound = tuple[Path, Mark]


def files_in(folder: Path, without: Path) -> Iterator[FileFound | None]:
    """Files that look like pictures in the folder and those below, but for hidden ones; None for a folder that cannot be opened.

    A folder to which several links lead, or one that leads back to it, is listed once. `without`: a folder that is left out.
    Raises `OSError` when the first folder itself cannot be opened.
    """
    seen = {_number_of(without)} if without.is_dir() else set[tuple[int, int]]()
    waiting = [(folder, 0)]
    count = 0
    while waiting and count < MOST_FILES:
        place, depth = waiting.pop()
        try:
            number = _number_of(place)
            if number in seen or depth > DEEPEST:
                continue
            seen.add(number)
            with os.scandir(place) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError:
            if not depth:
                raise
            yield None
            continue
        below = [Path(entry.path) for entry in listed if not entry.name.startswith(".") and _is_folder(entry)]
        waiting += [(path, depth + 1) for path in reversed(below)]
        for found in filter(None, map(_file, listed)):
            count += 1
            yield found


class FileLooker:
    """What a file is."""

    def __init__(self, checkpoint_of: Callable[[str], str]) -> None:
        """`checkpoint_of`: the id of the checkpoint of that name here, or the name itself."""
        self._checkpoint_of = checkpoint_of

    def look(self, path: Path, mark: Mark, copy_to: Outputs | None, same: Callable[[str], bool]) -> Looked:
        """Never raises for what a file holds. `copy_to`: where it is copied, unless `same` knows its content. Raises `NotSaved`."""
        looked = Looked(str(path), mark, "unreadable")
        if mark.size > LARGEST:
            return looked
        try:
            looked = self._looked(path, replace(looked, digest=digest_of(path, mark.size)))
        except UserError:
            return replace(looked, outcome="no picture")
        except OSError:
            return looked
        if copy_to and looked.outcome in ("settings", "none") and not same(looked.digest):
            return _copied(looked, path, copy_to)
        return looked

    def _looked(self, path: Path, looked: Looked) -> Looked:
        """Raises `UserError` for what is no picture."""
        found = look(path)
        looked = replace(looked, outcome="none", size=found.size)
        try:
            reading = of_texts(found.texts, found.size)
        except UserError:
            words = _words(found.texts)
            return replace(looked, request=json.dumps(describe(TextToImage(prompt=words)))) if words else looked
        model = reading.made_with.get("Model", "")[:200]
        request = reading.request
        if isinstance(request, Drawing) and not reading.ids:
            request = replace(request, checkpoint=self._checkpoint_of(model) if model else "")
        own = _own(found.texts.get(ATELIER, "")) if reading.program == "Atelier" else ""
        made = own or json.dumps(describe(request))
        origin = reading.made_with.get(SETTINGS_FROM, "")[:64]
        return replace(looked, outcome="settings", request=made, program=reading.program, model=model, origin=origin)


def digest_of(path: Path, size: int) -> str:
    """Of the size and three pieces: a folder on a slow drive is not read whole."""
    digest = hashlib.sha256(f"{size}:".encode())
    with path.open("rb") as file:
        for place in sorted({0, max(size // 2 - PIECE // 2, 0), max(size - PIECE, 0)}):
            file.seek(place)
            digest.update(file.read(PIECE))
    return digest.hexdigest()


def is_as_it_was(path: Path, mark: Mark) -> bool:
    """Whether the file is there and has not been changed."""
    try:
        about = path.stat()
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(about.st_mode) and Mark(about.st_size, about.st_mtime_ns) == mark


def _words(texts: dict[str, str]) -> str:
    """Words that are no settings."""
    found = next((texts[name] for name in WORDS if texts.get(name) and as_json(texts[name]) is None), "")
    return TextToImage.admit({"prompt": found[:LONGEST_WORDS]}).prompt.strip()


def _own(text: str) -> str:
    """Our own request as it was written, so that what a newer version has written is there when Atelier is updated."""
    found = table(as_json(text)).get("request")
    return json.dumps(found) if is_table(found) else ""


def _copied(looked: Looked, path: Path, outputs: Outputs) -> Looked:
    try:
        data = path.read_bytes()
    except OSError:
        return replace(looked, outcome="unreadable")
    request, _ = request_of(looked.request)
    copy = outputs.keep_copy(data, request, ENDINGS.get(path.suffix.lower(), ".png"))
    return replace(looked, copy=copy.relative_to(outputs.folder).as_posix())


def _file(entry: os.DirEntry[str]) -> FileFound | None:
    """None for what is no regular file, or has a name that no text can hold."""
    if entry.name.startswith(".") or os.path.splitext(entry.name)[1].lower() not in ENDINGS:
        return None
    try:
        entry.path.encode()
        about = entry.stat()
    except (OSError, UnicodeError):
        return None
    return (Path(entry.path), Mark(about.st_size, about.st_mtime_ns)) if stat.S_ISREG(about.st_mode) else None


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def _number_of(folder: Path) -> tuple[int, int]:
    about = os.stat(folder)
    return about.st_dev, about.st_ino
