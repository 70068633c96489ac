"""Rows of the job book as the rest of the house knows them. A row that this version cannot read is shown as far as it can be."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, TypeGuard

from models.errors import UserError
from models.json_values import is_table
from pipelines.requests.fields import admit_field
from pipelines.requests.remaining import Progress, read_progress
from pipelines.requests.request import KINDS, Request, TextToImage, restore

UNKNOWN = "Nothing is known of how this picture was made: its file carries no settings."
NEWER = "These settings were written by a newer Atelier, and this one does not know all of them. Update Atelier to use them."
DAMAGED = "These settings are damaged in the studio's list of jobs and cannot be used."
NOBODY = ""  # the person of pictures that were found again in the outputs folder: they are the owner's at the machine
UNREADABLE = (UserError, ValueError, TypeError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class Job:
    id: str
    user: str
    request: Request
    state: str
    message: str
    created: float  # seconds since 1970
    started: float | None
    ended: float | None
    note: str = ""  # why `request` is not the whole of what was asked; empty when it is
    progress: Progress = field(default_factory=Progress)  # how much of it is drawn
    chain: str = ""  # what it carries along to the job that follows it
    owner: bool = False  # of who sits at the machine
    board: str = ""  # the id of the board that its pictures go onto
    origin: str = ""  # the id of the picture whose settings it was begun with
    grid: str = ""  # the id of the grid that it is a cell of
    cell: str = ""  # where in it


@dataclass(frozen=True, slots=True)
class PictureRecord:
    """A saved picture. `path` is relative to the outputs folder in the file, absolute here."""

    id: str
    job_id: str
    user: str
    path: Path
    width: int
    height: int
    seed: int
    created: float
    request: Request
    note: str = ""  # why `request` is not the whole of what made it; empty when it is
    program: str | None = None  # of one that was brought in: whose settings it carries, or ""; None: drawn here
    outside: bool = False  # it lies in a folder of the owner's
    frame: int | None = None  # of a clip, the one that is meant, from 0, or from the last one, -1


def job_of(row: sqlite3.Row) -> Job:
    request, note = request_of(row["request"])
    progress = replace(read_progress(row["batch"], row["pictures"], row["stored"]), job=row["id"], shares=bool(row["grid"]))
    told = row["state"], row["message"], row["created"], row["started"], row["ended"], note, progress, row["chain"], bool(row["owner"])
    return Job(row["id"], row["user"], request, *told, row["board"], row["origin"], row["grid"], row["cell"])


def picture_of(row: sqlite3.Row, folder: Path) -> PictureRecord:
    request, note = request_of(row["request"])
    place = row["place"]
    path = Path(place) if place else folder / place_of(row["path"])
    size = whole(row["width"]), whole(row["height"])
    told = row["created"], request, note, row["program"], bool(place)
    return PictureRecord(row["id"], row["job"], row["user"], path, *size, whole(row["seed"]), *told)


def request_of(text: object) -> tuple[Request, str]:
    """The request, and a sentence if it is only what could be read of it."""
    try:
        values: object = json.loads(text if isinstance(text, str | bytes) else "")
    except UNREADABLE:
        return TextToImage(), DAMAGED
    if not is_table(values):
        return TextToImage(), UNKNOWN if values is None else DAMAGED
    try:
        return restore(values), ""
    except UNREADABLE:
        return _readable(values), NEWER


def place_of(path: object) -> Path:
    """A path below the outputs folder. One that leads out of it is not ours, and names no file here."""
    return Path(path) if is_inside(path) else Path("none")


def is_inside(path: object) -> TypeGuard[str]:
    """Whether a row's path leads to a file below the outputs folder."""
    if not isinstance(path, str) or "\0" in path:
        return False
    place = Path(path)
    return bool(place.name) and not place.is_absolute() and not place.drive and ".." not in place.parts


def whole(value: object) -> int:
    return value if isinstance(value, int) else 0


def _readable(values: dict[str, object]) -> Request:
    """A request with those values that this version knows and allows, the others at their default."""
    named = values.get("kind")
    kind = KINDS.get(named, TextToImage) if isinstance(named, str) else TextToImage
    admitted: dict[str, Any] = {}  # Any: of each field its own type
    for item in fields(kind):
        try:
            admitted[item.name] = admit_field(item, values[item.name])
        except (KeyError, *UNREADABLE):
            continue
    return kind(**admitted)
