"""Downloads of several pictures as one ZIP, made while it is sent: nothing of it is kept on the disk or whole in memory.

The files are stored as they are, as pictures do not shrink. A picture that is gone when its turn comes, or cannot be freed of its
settings, is named in a text file at the end of the ZIP; one that ends in its middle breaks the download off, which the browser tells.
"""

from __future__ import annotations

import re
import secrets
import threading
import time
import unicodedata
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, repeat
from pathlib import Path
from typing import IO, cast

from models.errors import UserError
from pipelines.gallery.answers import GalleryDownload
from pipelines.gallery.formats import AS_SAVED, FORMATS, given_out, nameless
from pipelines.gallery.leaving import Leaving, Sign
from pipelines.gallery.person import TOLD, Person, marks, parts, visible
from pipelines.job_book.book import JobBook
from pipelines.job_book.rows import place_of

MOST = 5_000  # pictures
MOST_BYTES = 8 * 10**9
MINUTES = 10  # that a download may wait to be fetched
WAITING = 100  # downloads
LONGEST_NAME = 150  # letters
MISSING = "MISSING.txt"
VANISHED = "It was gone when the ZIP was made."
GONE = "This download is not there any more. Ask for it again."
NAMED_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Prepared:
    person: Person
    files: tuple[tuple[str, Path, bool], ...]  # the ids of the pictures, their files, and whether with settings
    format: str  # see `given_out`
    until: float  # seconds since 1970


class Downloads:
    """Safe to use from any thread."""

    def __init__(self, book: JobBook, leaving: Leaving) -> None:
        self._book, self._leaving = book, leaving
        self._prepared: OrderedDict[str, Prepared] = OrderedDict()
        self._lock = threading.Lock()

    def prepare(self, ids: Sequence[str], person: Person, settings: bool, wanted: str = AS_SAVED) -> GalleryDownload:
        """`settings`: with what the files say of themselves, where this person may have it. `wanted`: a name of `FORMATS`; else as
        they were saved.

        Raises `UserError` for a format that is not known, when none of the pictures is this person's, when all of their files are gone,
        and when they are too many.
        """
        if wanted not in (AS_SAVED, *FORMATS):
            raise UserError(f"Pictures are given out as {', '.join(FORMATS)}, or as they were saved.")
        if len(ids) > MOST:
            raise UserError(f"{len(ids):,} pictures are too many for one ZIP; {MOST:,} are the most. Choose fewer.")
        sized = [(*named, size) for named in self._paths(ids, person) if (size := _size(named[1])) >= 0]
        total = sum(size for *_, size in sized)
        if not sized:
            raise UserError("The files of these pictures are not in the outputs folder any more.")
        if total > MOST_BYTES:
            raise UserError(f"These pictures take {total / 1e9:.1f} GB; {MOST_BYTES / 1e9:.0f} GB are the most in one ZIP. Choose fewer.")
        name = secrets.token_urlsafe(16)
        files = tuple((picture, path, settings and told and not person.bare) for picture, path, told, _ in sized)
        self._keep(name, Prepared(person, files, wanted, time.time() + 60 * MINUTES))
        return {"id": name, "count": len(sized), "bytes": total}

    def open(self, name: str, person: Person) -> Iterator[bytes]:
        """The ZIP, piece by piece. Raises `UserError` when there is no such download of this person."""
        with self._lock:
            found = self._prepared.get(name)
        if found is None or found.person.user != person.user or found.until < time.time():
            raise UserError(GONE)
        signs = (self._leaving.sign(picture_id) for picture_id, *_ in found.files)  # each when its turn comes
        return zipped([(path, settings) for _, path, settings in found.files], found.format, signs)

    def _paths(self, ids: Sequence[str], person: Person) -> list[tuple[str, Path, bool]]:
        """In the order in which they were named, and whether this person may know how they were made."""
        paths: dict[str, tuple[Path, bool]] = {}
        with self._book.file.reading() as db:
            visible(db, ids, person)
            for part in parts([each for each in ids if each.isascii()]):
                query = f"""select id, path, place, {TOLD} from picture join shelf using (number)
                  where id in ({marks(len(part))}) and {person.sees}"""
                paths |= {
                    row[0]: (Path(row[2]) if row[2] else self._book.folder / place_of(row[1]), bool(row[3]))
                    for row in db.execute(query, (*person.told, *part, *person.seen))
                }
        return [(each, *paths[each]) for each in dict.fromkeys(ids) if each in paths]

    def _keep(self, name: str, prepared: Prepared) -> None:
        with self._lock:
            self._prepared[name] = prepared
            while len(self._prepared) > WAITING:
                self._prepared.popitem(last=False)


class Pipe:
    """A file that is written into and emptied by turns."""

    def __init__(self) -> None:
        self._held = bytearray()

    def write(self, data: bytes) -> int:
        self._held += data
        return len(data)

    def flush(self) -> None:
        pass

    def taken(self) -> bytes:
        held = bytes(self._held)
        self._held.clear()
        return held


def zipped(files: Iterable[tuple[Path, bool]], wanted: str = AS_SAVED, signs: Iterable[Sign | None] = ()) -> Iterator[bytes]:
    """A ZIP of these files, each with its settings or without. `signs`: what signs each. Raises `ValueError` or `OSError` in its middle for
    a file that ends in its own.
    """
    pipe, names, missing = Pipe(), Names(), list[str]()
    with zipfile.ZipFile(cast("IO[bytes]", pipe), "w", zipfile.ZIP_STORED) as whole:  # all that it needs of a stream
        for (path, settings), sign in zip(files, chain(signs, repeat(None)), strict=False):
            called = safe(path.name if settings else nameless(path.name))
            try:
                file = path.open("rb")
            except OSError:
                missing.append(f"{called}: {VANISHED}")
                continue
            with file:
                try:
                    name, contents = given_out(file, path.name, wanted, settings, sign)
                except UserError as error:
                    missing.append(f"{called}: {error}")
                    continue
                with whole.open(_entry(names.free(name), path), "w", force_zip64=True) as entry:
                    for piece in contents:
                        entry.write(piece)
                        yield pipe.taken()
        if missing:
            whole.writestr(_entry(MISSING), "These pictures are not in the ZIP:\n\n" + "\n".join(missing) + "\n")
    yield pipe.taken()


class Names:
    """Names of the files inside a ZIP: safe on every system, and each there once, whatever case its letters have."""

    def __init__(self) -> None:
        self._taken = {MISSING.casefold()}

    def free(self, name: str) -> str:
        stem, dot, ending = safe(name).rpartition(".")
        stem, ending = (stem, f"{dot}{ending}") if dot else (ending, "")
        numbers = (f" ({number})" if number else "" for number in (0, *range(2, MOST + 2)))
        found = next(each for number in numbers if (each := f"{stem}{number}{ending}").casefold() not in self._taken)
        self._taken.add(found.casefold())
        return found


def safe(name: str) -> str:
    """A name without what some system reads as something else: separators, control characters, names of devices."""
    plain = "".join("_" if letter in '<>:"/\\|?*' or unicodedata.category(letter)[0] == "C" else letter for letter in name)
    stem, dot, ending = plain.strip(" .").rpartition(".")
    short = f"{stem[:LONGEST_NAME]}{dot}{ending[:20]}" if dot else ending[:LONGEST_NAME]
    return f"_{short}" if not short or NAMED_DEVICES.fullmatch(short) else short


def _entry(name: str, path: Path | None = None) -> zipfile.ZipInfo:
    """With the time at which the file was written."""
    try:
        seconds = path.stat().st_mtime if path else time.time()
    except OSError:
        seconds = time.time()
    at = time.localtime(seconds)
    year = min(max(at.tm_year, 1980), 2107)  # what a ZIP can say
    return zipfile.ZipInfo(name, (year, at.tm_mon, at.tm_mday, at.tm_hour, at.tm_min, at.tm_sec))


def _size(path: Path) -> int:
    """Bytes; -1 for what is not there."""
    try:
        return path.stat().st_size
    except OSError:
        return -1
