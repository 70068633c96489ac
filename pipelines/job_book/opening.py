"""Opening the job book: how a start finds it, whatever has become of it since the last one."""

from __future__ import annotations

import logging
import sqlite3
import time
from contextlib import closing
from pathlib import Path

from pipelines.job_book.errors import BookError, trouble
from pipelines.job_book.file import begins_well, connect, write_ahead
from pipelines.job_book.found import any_picture
from pipelines.job_book.people import PEOPLE
from pipelines.job_book.rebuild import BESIDE, Rebuilt, begin, book_newcomers, finish, rebuild
from pipelines.job_book.schema import VERSION, is_book, migrate, version_of
from pipelines.job_book.shelf import SHELF, fill

log = logging.getLogger(__name__)

ROUND = 2**32  # versions that one run of the server may give out


def open_book(path: Path, folder: Path, again: bool = False) -> tuple[sqlite3.Connection, str]:
    """The book, of this version and sound, and what a person should know of how it was found; empty when there is nothing to say.

    One that is missing, empty or damaged is made again from the pictures in `folder`; `again`: so is any other. Raises `BookError`
    when it is of another program, of a newer Atelier, or cannot be read or written, and SQLite's own errors and those of the disk.
    """
    finish(path)
    why = _what_is_wrong(path, folder) or ("again" if again else "")
    if why == "new":
        begin(path)
    news = _told(why, rebuild(path, folder)) if why and why != "new" else ""
    db = connect(path)
    try:
        write_ahead(db)
        migrate(db, path)
        _fill_shelf(db)
        count = book_newcomers(db, folder)
    except BaseException:
        db.close()
        raise
    return db, news or _of_newcomers(count)


def first_version(db: sqlite3.Connection) -> int:
    """The first version number of this run of the server: beyond all that earlier runs gave out, also when the clock was put back."""
    last = db.execute("select value from counter where name = 'version'").fetchone()
    first = max(int(time.time() * 1000), last[0] + ROUND if last else 0)
    db.execute("insert or replace into counter values ('version', ?)", (first,))
    return first


def _fill_shelf(db: sqlite3.Connection) -> None:
    """After an update; a hundred thousand pictures take some ten seconds, once."""
    db.execute("begin immediate")
    count = fill(db)
    db.execute("commit")
    if count:
        log.info("%d pictures can be searched for now", count)


def _what_is_wrong(path: Path, folder: Path) -> str:
    """ "" for a sound book, "new" where there is nothing yet, else what has become of it."""
    if path.is_dir():
        sentence = f"“{path.name}” in the outputs folder is itself a folder. Move it away: it is where the studio's list of jobs belongs."
        raise BookError("unwritable", sentence)
    if path.is_symlink() and not path.exists():
        raise BookError(
            "moved", f"“{path.name}” in the outputs folder is a link to a file that is gone. Bring it back, or remove the link."
        )
    if not path.exists():
        left = any(Path(f"{path}{ending}").exists() for ending in BESIDE)
        return "missing" if left or any_picture(folder) else "new"
    if not path.stat().st_size:
        return "empty"
    if not begins_well(path):  # opened by SQLite, it would lose the journal beside it
        return "damaged"
    try:
        with closing(connect(path)) as db:
            return _inside(db, path)
    except UnicodeDecodeError:  # what SQLite says of a damaged schema holds its bytes
        return "damaged"
    except sqlite3.Error as error:
        if trouble(error) != "damaged":
            raise
        log.warning("The job book is damaged: %s", error)
        return "damaged"


def _inside(db: sqlite3.Connection, path: Path) -> str:
    if not db.execute("select 1 from sqlite_master limit 1").fetchone():
        return "empty"
    verdict = db.execute("pragma integrity_check(1)").fetchone()[0]
    if verdict != "ok":
        log.warning("The job book is damaged: %s", verdict)
        return "damaged"
    if not is_book(db):
        sentence = f"“{path.name}” in the outputs folder belongs to another program. Move it away, or name another --outputs-dir."
        raise BookError("unwritable", sentence)
    tables = {row[0] for row in db.execute("select name from sqlite_master where type = 'table'")}
    if version_of(db) and not tables >= {"job", "picture", "input"} | (SHELF | {*PEOPLE} if version_of(db) == VERSION else set[str]()):
        return "damaged"
    if version_of(db) > VERSION:
        sentence = "The list of jobs in the outputs folder is of a newer Atelier. Update Atelier, or name another --outputs-dir."
        raise BookError("unwritable", sentence)
    return ""


def _told(why: str, done: Rebuilt) -> str:
    reason = {
        "again": "The studio's list of jobs was made anew",
        "missing": "The studio's list of jobs was missing, and was made anew",
        "empty": "The studio's list of jobs was empty, and was made anew",
        "damaged": "The studio's list of jobs was damaged, and was made anew",
    }[why]
    aside = f" The old one is kept as {done.aside}." if done.aside else ""
    return f"{reason} from the pictures in the outputs folder: {_counted(done.pictures)} found.{aside}"


def _of_newcomers(count: int) -> str:
    if not count:
        return ""
    return f"{_counted(count)} found in the outputs folder that the studio's list did not know, as after a crash. Now it does."


def _counted(count: int) -> str:
    return f"{count:,} picture was" if count == 1 else f"{count:,} pictures were"
