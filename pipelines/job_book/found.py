"""Finished pictures as they stand in the outputs folder: what the job book needs to know of each, read from the file itself.

No pixels are decoded. A picture that a kill left unbooked is whole, as it gets its name last; one that is cut at its end is left out.
"""

from __future__ import annotations

import json
import os
import re
import stat
import struct
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from models.errors import UserError
from models.json_values import is_table, table, text
from pipelines.images import clip_file
from pipelines.metadata.picture_settings import inspect
from pipelines.metadata.picture_texts import texts_in
from pipelines.metadata.provenance import SETTINGS_FROM
from pipelines.requests.request import describe

DAY = re.compile(r"\d{4}-\d\d-\d\d")
NAME = re.compile(r"\d{8}-\d{6}-\d{4}_.*\.(png|webp)", re.DOTALL)  # what `pipelines.jobs.outputs` gives
ENDINGS = (".png", clip_file.ENDING)
MODEL = "Model"  # in what a picture was made with
HEADS = 30  # bytes in which a file says its size
HEAD, END = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", b"\0\0\0\0IEND\xaeB`\x82"


@dataclass(frozen=True, slots=True)
class Found:
    """A whole picture. `path`: relative to the outputs folder. `request`: JSON, "null" when the picture says nothing of itself.

    `model`: the name of the checkpoint that drew it, or "". `origin`: the content of the picture whose settings it was begun with, or "".
    """

    path: str
    size: tuple[int, int]
    request: str
    modified: float  # seconds since 1970
    model: str = ""
    origin: str = ""

    @property
    def values(self) -> dict[str, object]:
        return json.loads(self.request) or {}

    @property
    def seed(self) -> int:
        seed = self.values.get("seed")
        return seed if isinstance(seed, int) and -1 <= seed < 2**63 else -1


def newcomers(folder: Path, known: Collection[str]) -> list[Found]:
    """Pictures under our own names, in the folders of days, that are not `known`. By name, which is by time."""
    days = (entry.name for entry in _entries(folder) if DAY.fullmatch(entry.name))
    paths = (f"{day}/{entry.name}" for day in days for entry in _entries(folder / day) if NAME.fullmatch(entry.name))
    return [found for path in sorted(set(paths) - set(known)) if (found := read(folder, path))]


def everything(folder: Path) -> list[Found]:
    """All pictures anywhere in the folder that have one of our names or carry our settings. By name, which is by time."""
    found = (read(folder, path) for path in _pictures(folder))
    ours = [picture for picture in found if picture and (picture.request != "null" or NAME.fullmatch(Path(picture.path).name))]
    return sorted(ours, key=lambda picture: (Path(picture.path).name, picture.path))


def any_picture(folder: Path) -> bool:
    return next((True for path in _pictures(folder) if NAME.fullmatch(Path(path).name)), False)


def read(folder: Path, path: str) -> Found | None:
    """None for what is neither a whole PNG nor a whole clip."""
    try:
        path.encode()  # a name that is no text cannot stand in the book
        size, modified = _size_of(folder / path)
        if not size:
            return None
        request, made_with = _said_by(folder / path)
        return Found(path, size, request, modified, text(made_with, MODEL), text(made_with, SETTINGS_FROM))
    except (OSError, UserError, UnicodeError):
        return None


def _size_of(path: Path) -> tuple[tuple[int, int] | None, float]:
    """Width and height, None when the file is no PNG and no clip from its head to its end; and when it was written."""
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):  # a pipe would keep the start waiting for ever
        return None, 0.0
    with path.open("rb") as file:
        head = file.read(HEADS)
        if clip_file.is_whole(head, about.st_size):
            return clip_file.size_in(head), about.st_mtime
        file.seek(max(about.st_size - len(END), 0))
        whole = head.startswith(HEAD) and file.read() == END
    return (struct.unpack(">II", head[16:24]) if whole else None), about.st_mtime


def _said_by(path: Path) -> tuple[str, Mapping[str, object]]:
    """What it was made with beside the request as it was written, so that what a newer version has written is there after an update."""
    try:
        whole = table(json.loads(texts_in(path)["atelier"]))
        if is_table(found := whole.get("request")):
            return json.dumps(found), table(whole.get("made_with"))
    except (KeyError, ValueError, RecursionError, UserError):
        pass
    try:
        reading = inspect(path)
        return json.dumps(describe(reading.request)), dict[str, object](reading.made_with)
    except UserError:
        return "null", {}


def _pictures(folder: Path) -> Iterator[str]:
    """All PNG files and clips in the folder and those below, but for hidden ones; relative."""
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        inside = Path(place).relative_to(folder)
        yield from ((inside / name).as_posix() for name in files if name.lower().endswith(ENDINGS) and not name.startswith("."))


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []
