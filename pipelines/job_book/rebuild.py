"""Rebuilding the job book from what stands in the outputs folder, and from what can still be read of the old one."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from pipelines.images.store import content_id
from pipelines.job_book import comments, forks, people
from pipelines.job_book.brought import put_back
from pipelines.job_book.found import Found, everything, newcomers
from pipelines.job_book.journal import bring_back
from pipelines.job_book.ran import RunningJobs, new_id, next_of
from pipelines.job_book.rows import NOBODY, request_of
from pipelines.job_book.salvage import Row, Salvage, salvage
from pipelines.job_book.schema import migrate
from pipelines.job_book.shelf import Entered, put
from pipelines.requests.remaining import read_progress
from pipelines.requests.request import ImageToImage, input_ids

NO_JOB = ""  # their job
BESIDE = ("", "-wal", "-shm", "-journal")  # the files of one book
PICTURE = "insert into picture (id, job, user, path, width, height, seed, created, request) values (?, ?, ?, ?, ?, ?, ?, ?, ?)"
KEPT: dict[str, type | tuple[type, ...]] = {  # of a job
    **dict.fromkeys(("id", "user", "request", "state", "stored", "sort", "words", "chain", "chain_words", "board", "origin"), str),
    **dict.fromkeys(("owner", "lane", "batches", "each", "batch", "pictures", "tried"), int),
    **dict.fromkeys(("created", "place", "used", "work"), (int, float)),
}


@dataclass(frozen=True)
class Rebuilt:
    aside: str  # the name of the old book, set aside; empty when there was none
    pictures: int


def rebuild(path: Path, folder: Path) -> Rebuilt:
    """Makes the book again and sets the old one aside. Until all is written nothing is changed; a kill after that is made good."""
    old = salvage(path)
    pictures = in_order(old, everything(folder))
    _make(path, lambda db: _filled(db, folder, old, pictures))
    aside = set_aside(path)
    os.replace(_whole(path), path)
    return Rebuilt(aside, len(pictures))


def finish(path: Path) -> None:
    """What a kill between setting aside and putting in place has left."""
    if not os.path.lexists(path) and _whole(path).is_file():
        os.replace(_whole(path), path)
    _remove(_whole(path))


def _make(path: Path, fill: Callable[[sqlite3.Connection], None]) -> None:
    """A whole book of this version beside the path."""
    part = path.with_name(f"{path.name}.part")
    _remove(part)
    try:
        _create(part, fill)
        os.replace(part, _whole(path))
    finally:
        _remove(part)


def _whole(path: Path) -> Path:
    return path.with_name(f"{path.name}.new")


def _create(path: Path, fill: Callable[[sqlite3.Connection], None]) -> None:
    """It is made under another name than its own, so it need not be sound before it is whole."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        db.execute("pragma journal_mode = memory")
        db.execute("pragma synchronous = off")
        migrate(db)
        db.execute("begin")
        fill(db)
        db.execute("commit")
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def begin(path: Path) -> None:
    """A book for a folder in which there is nothing yet."""
    _make(path, lambda db: None)
    os.replace(_whole(path), path)


def set_aside(path: Path) -> str:
    """Renames the book, with the files that belong to it, and returns its new name; "" when there is none of them."""
    there = [ending for ending in BESIDE if os.path.lexists(f"{path}{ending}")]
    if not there:
        return ""
    names = (f"{path.name}.bad{number or ''}" for number in (0, *range(2, 10**6)))
    name = next(name for name in names if not any(os.path.lexists(path.with_name(name + ending)) for ending in BESIDE))
    for ending in there:
        os.replace(f"{path}{ending}", path.with_name(name + ending))
    return name


def in_order(old: Salvage, found: Sequence[Found]) -> list[tuple[Found, Row | None]]:
    """Pictures with what the old book knew of them. Those that it knew keep their order; the others come in by name."""
    by_path = {picture.path: picture for picture in found}
    keyed: list[tuple[str, Found, Row | None]] = []
    latest = ""
    for path, row in old.pictures.items():
        if path in by_path:
            latest = max(latest, Path(path).name)
            keyed.append((latest, by_path[path], row))
    keyed += [(Path(path).name, picture, None) for path, picture in by_path.items() if path not in old.pictures]
    return [(picture, row) for _, picture, row in sorted(keyed, key=lambda entry: entry[0])]


def book_newcomers(db: sqlite3.Connection, folder: Path) -> int:
    """Enters pictures that were saved and not entered, as by a kill in between. Returns how many."""
    known = {row[0] for row in db.execute("select path from picture")}
    found = newcomers(folder, known)
    if found:
        running = RunningJobs(dict(row) for row in db.execute("select * from job where state = 'running'"))
        entries = [(picture, running.row_of(picture)) for picture in found]
        db.execute("begin immediate")
        _enter(db, entries)
        for picture, row in entries:
            if row:
                _come_on(db, row["job"], picture, folder)
        db.execute("commit")
    return len(found)


def _come_on(db: sqlite3.Connection, job_id: str, picture: Found, folder: Path) -> None:
    """The job that was running goes on behind this picture; a loopback may begin a round with it."""
    row = db.execute("select * from job where id = ?", (job_id,)).fetchone()
    request, progress = request_of(row["request"])[0], read_progress(row["batch"], row["pictures"], row["stored"])
    index = next_of(request, progress)
    if isinstance(request, ImageToImage) and request.loops > 1:
        progress.stored[index] = _drawn(picture, folder / picture.path)
    progress.pictures = index + 1
    db.execute("update job set batch = ?, pictures = ?, stored = ? where id = ?", (*progress.written(), job_id))


def _drawn(picture: Found, path: Path) -> str:
    """The id of the picture as it was drawn, before an upscaler may have enlarged it."""
    if isinstance(drawn := picture.values.get("as_drawn"), str) and drawn:
        return drawn
    with Image.open(path, formats=("PNG",)) as image:
        return content_id(image.convert("RGB"))


def _filled(db: sqlite3.Connection, folder: Path, old: Salvage, pictures: list[tuple[Found, Row | None]]) -> None:
    _fill(db, old, pictures)
    bring_back(db, folder)


def _fill(db: sqlite3.Connection, old: Salvage, pictures: list[tuple[Found, Row | None]]) -> None:
    for job in old.jobs:
        values = {"created": 0.0, **{name: job[name] for name, kind in KEPT.items() if isinstance(job.get(name), kind)}}
        db.execute(f"insert into job ({', '.join(values)}) values ({', '.join('?' * len(values))})", tuple(values.values()))
    db.execute("update job set begun = pictures")  # what ran is interrupted: nobody knows how far it had come
    db.executemany("insert or ignore into input values (?, ?)", [(row["id"], row["user"]) for row in old.inputs])
    running = RunningJobs(job for job in old.jobs if job["state"] == "running")
    _enter(db, [(picture, row or running.row_of(picture)) for picture, row in pictures])
    put_back(db, old.brought)
    people.put_back(db, old.people)
    comments.put_back(db, old.comments)


def _enter(db: sqlite3.Connection, pictures: Iterable[tuple[Found, Row | None]]) -> None:
    """Pictures, and the inputs that they name as those of the same person."""
    for picture, known in pictures:
        row = known or {"id": new_id(), "job": NO_JOB, "user": NOBODY}
        created = row.get("created") or picture.modified
        values = row["id"], row["job"], row["user"], picture.path, *picture.size, picture.seed, created, picture.request
        number = int(db.execute(PICTURE, values).lastrowid or 0)
        put(db, Entered(number, row["user"], row["job"], created, picture.size, picture.seed, picture.request, picture.model))
        forks.put(db, number, picture.origin)
        inputs = input_ids(request_of(picture.request)[0])
        db.executemany("insert or ignore into input values (?, ?)", [(input_id, row["user"]) for input_id in inputs])


def _remove(path: Path) -> None:
    for ending in BESIDE:
        with suppress(FileNotFoundError):
            os.unlink(f"{path}{ending}")
