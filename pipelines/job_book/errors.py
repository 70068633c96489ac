"""Errors of the job book: what a person is told when it cannot be read or written. SQLite's own errors end here.

Result codes: https://www.sqlite.org/rescode.html; the low byte of an extended code is the primary one.
"""

from __future__ import annotations

import errno
import logging
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from typing import Literal

from models.errors import UserError

log = logging.getLogger(__name__)

Trouble = Literal["full", "locked", "moved", "unwritable", "damaged", "disk", "closed"]

SENTENCES: dict[Trouble, str] = {
    "full": "The disk with the pictures is full: the studio's list of jobs cannot be written. Make room; Atelier goes on by itself.",
    "locked": "Another program holds the studio's list of jobs (studio.db). Close it, then try again.",
    "moved": "The outputs folder is not in its place any more: moved, removed, or its drive is gone. Put it back; Atelier then goes on.",
    "unwritable": "The studio's list of jobs (studio.db in the outputs folder) cannot be written. Allow writing there, then try again.",
    "damaged": "The studio's list of jobs (studio.db) is damaged. Start Atelier again: it is set aside, and the pictures are found again.",
    "disk": "The disk with the studio's list of jobs reported an error. Look at the drive of the outputs folder, then try again.",
    "closed": "The studio is closing. Start it again, then try again.",
}
AT_START: dict[Trouble, str] = {
    "full": "The disk with the outputs folder is full: the studio's list of jobs cannot be opened. Make room, then start again.",
    "locked": "Another program holds the studio's list of jobs (studio.db in the outputs folder). Close it, then start again.",
    "unwritable": "The studio's list of jobs (studio.db in the outputs folder) cannot be written. Allow it, or name another --outputs-dir.",
    "disk": "The disk with the outputs folder reported an error. Look at the drive, or name another --outputs-dir.",
    "moved": "The outputs folder is not there any more. Put it back, or name another --outputs-dir.",
}
KINDS: dict[int, Trouble] = {
    sqlite3.SQLITE_FULL: "full",
    sqlite3.SQLITE_BUSY: "locked",
    sqlite3.SQLITE_LOCKED: "locked",
    sqlite3.SQLITE_PROTOCOL: "locked",
    sqlite3.SQLITE_READONLY: "unwritable",
    sqlite3.SQLITE_PERM: "unwritable",
    sqlite3.SQLITE_AUTH: "unwritable",
    sqlite3.SQLITE_CANTOPEN: "unwritable",
    sqlite3.SQLITE_CORRUPT: "damaged",
    sqlite3.SQLITE_NOTADB: "damaged",
    sqlite3.SQLITE_FORMAT: "damaged",
    sqlite3.SQLITE_IOERR: "disk",
    sqlite3.SQLITE_NOLFS: "disk",
    sqlite3.SQLITE_MISUSE: "closed",
}
EXACTLY: dict[int, Trouble] = {
    sqlite3.SQLITE_READONLY_DBMOVED: "moved",
    sqlite3.SQLITE_IOERR_SHMSIZE: "full",  # no room for the index of the journal
}
WORDS: dict[str, Trouble] = {"is full": "full", "locked": "locked", "malformed": "damaged", "no such": "damaged", "readonly": "unwritable"}
REFUSED = (errno.EACCES, errno.EPERM, errno.EROFS)
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)


class BookError(UserError):
    """The job book did not take or give what was asked. Nothing of the change has been kept."""

    def __init__(self, kind: Trouble, sentence: str = "") -> None:
        super().__init__(sentence or SENTENCES[kind])
        self.kind: Trouble = kind

    @property
    def passing(self) -> bool:
        """Whether the same may go well later with nothing done to the book itself."""
        return self.kind not in ("damaged", "closed")


class NotYours(UserError):
    """There is no such job for who asks."""

    def __init__(self) -> None:
        super().__init__("This job is not among yours. Reload the page to see your own.")


class TooLate(UserError):
    """The job has gone on meanwhile, so that what was asked cannot be done any more. Its sentence says where it stands."""


@contextmanager
def starting() -> Generator[None]:
    """Says what to do about a `BookError` at a start, where nothing goes on by itself."""
    try:
        yield
    except BookError as error:
        if str(error) != SENTENCES[error.kind] or error.kind not in AT_START:
            raise
        raise BookError(error.kind, AT_START[error.kind]) from error


@contextmanager
def told() -> Generator[None]:
    """Turns whatever SQLite or the disk raises inside the block into a `BookError`."""
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        log.warning("The job book: %s (%s)", error, getattr(error, "sqlite_errorname", type(error).__name__))
        raise BookError(trouble(error)) from error


def trouble(error: sqlite3.Error | OSError) -> Trouble:
    """What kind of trouble an error is: by its code where it has one, else by its words."""
    if isinstance(error, OSError):
        return _of_disk(error)
    if isinstance(error, sqlite3.ProgrammingError):
        return "closed"
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF != sqlite3.SQLITE_ERROR:
        return EXACTLY.get(code) or KINDS.get(code & 0xFF, "disk")
    found: list[Trouble] = [kind for words, kind in WORDS.items() if words in str(error)]
    return found[0] if found else "damaged"


def _of_disk(error: OSError) -> Trouble:
    if error.errno in NO_ROOM:
        return "full"
    if error.errno in REFUSED:
        return "unwritable"
    return "moved" if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENODEV) else "disk"
