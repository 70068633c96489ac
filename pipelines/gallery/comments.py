"""Comments on pictures, in threads: read by whoever sees the picture, on a spot of it or on all of it, settled and opened again.

Who may write at all is a role (`pipelines.people.roles`), which the door asks for. A comment is removed by who wrote it, by whose picture
it is, and by the owner of the studio. Texts and names are plain text; a page never takes them for markup.
"""

from __future__ import annotations

import itertools
import math
import secrets
import sqlite3
import time
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from models.errors import UserError
from pipelines.gallery.answers import CommentLine, CommentList, CommentThread
from pipelines.gallery.person import Person
from pipelines.job_book.book import JobBook
from pipelines.job_book.reader import Reader

LONGEST = 4_000  # characters
A_MINUTE = 20  # comments of one person
MOST = 10_000  # comments on one picture
MOST_ANSWERS = 100  # in one thread
WINDOW = 50  # threads that are told together
NO_PICTURE = "There is no such picture."
NO_COMMENT = "There is no such comment any more."
NOT_YOURS = "Only who wrote a comment, whose picture it is, and the owner of the studio can remove it."
COLUMNS = "number, id, picture, parent, user, name, text, x, y, created, settled, settler_name, place"
ROW = """insert into comment (id, picture, parent, user, name, text, x, y, created, place) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
Spot = tuple[float, float]


class Said(NamedTuple):
    """A row of the book, by `COLUMNS`."""

    number: int
    id: str
    picture: str
    parent: str
    user: str
    name: str
    text: str
    x: float | None
    y: float | None
    created: float
    settled: float | None
    settler_name: str
    place: int


class NotThere(UserError):
    """There is no such picture or comment, as far as this person sees."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Who comments. `name`: as the others see it; "" for the owner of the studio."""

    person: Person
    name: str = ""


class Comments:
    """Safe to use from any thread. Everything raises `NotThere` for what this person does not see, other `UserError`s and `BookError`."""

    def __init__(self, book: JobBook, reader: Reader, clock: Callable[[], float] = time.time) -> None:
        self._file, self._reader, self._clock = book.file, reader, clock
        self._changes = itertools.count(int(clock() * 1000))  # no number comes again after a restart
        self._versions: dict[str, int] = {}  # of pictures whose comments have changed since the start

    def version(self, picture_id: str, person: Person) -> int:
        """Another number after each change of the picture's comments; 0 as well for a picture that this person does not see."""
        found = self._versions.get(picture_id, 0)
        if not found:
            return 0
        with self._reader.reading() as db:
            return found if _whose(db, picture_id, person) is not None else 0

    def of(self, picture_id: str, person: Person, before: int = 0) -> CommentList:
        """Up to 50 threads, the newest first; `before`: those that are older than the thread of this number."""
        version = self._versions.get(picture_id, 0)  # read first: what changes meanwhile is told again
        with self._reader.reading() as db:
            removes = _keeper(db, picture_id, person)
            query = "picture = ? and parent = '' and number < ? order by number desc limit ?"
            roots = _rows(db, query, picture_id, before or 2**62, WINDOW + 1)
            threads = [_thread(db, root, person, removes) for root in roots[:WINDOW]]
            count = _on(db, picture_id)
        return {"version": version, "count": count, "threads": threads, "more": len(roots) > WINDOW}

    def add(self, picture_id: str, writer: Writer, text: str, parent: str = "", spot: Spot | None = None) -> str:
        """Returns the id. `parent`: the comment that began the thread which is answered; "" begins one. `spot`: x and y in 0 to 1."""
        clean, now, comment_id = _clean(text), self._clock(), secrets.token_urlsafe(12)
        if spot and not all(math.isfinite(share) and 0 <= share <= 1 for share in spot):
            raise UserError("A spot is two shares of the picture's width and height, from 0 to 1.")
        with self._file.transaction() as db:
            _keeper(db, picture_id, writer.person)
            self._check_room(db, picture_id, writer.person.user, parent, now)
            x, y = spot if spot and not parent else (None, None)
            last = _rows(db, "picture = ? and parent = '' order by number desc limit 1", picture_id)
            place = 0 if parent else last[0].place + 1 if last else 1
            db.execute(ROW, (comment_id, picture_id, parent, writer.person.user, writer.name, clean, x, y, now, place))
            if parent:  # who answers has not done with it
                db.execute("update comment set settled = null, settler = '', settler_name = '' where id = ?", (parent,))
        self._changed(picture_id)
        return comment_id

    def settle(self, comment_id: str, writer: Writer, settled: bool) -> None:
        """A whole thread, by the comment that began it; `settled` false opens it again."""
        with self._file.transaction() as db:
            picture_id, said = _find(db, comment_id, writer.person)
            if said.parent:
                raise NotThere(NO_COMMENT)
            values = (self._clock(), writer.person.user, writer.name) if settled else (None, "", "")
            query = "update comment set settled = ?, settler = ?, settler_name = ? where id = ? and (settled is null) = ?"
            db.execute(query, (*values, comment_id, settled))
        self._changed(picture_id)

    def remove(self, comment_id: str, person: Person) -> None:
        """A comment; one that began a thread takes the thread along, unless others have answered its writer: then it is emptied."""
        with self._file.transaction() as db:
            picture_id, said = _find(db, comment_id, person)
            keeps = _keeper(db, picture_id, person)
            if not keeps and said.user != person.user:
                raise UserError(NOT_YOURS)
            others = "select 1 from comment where picture = ? and parent = ? and user <> ?"
            if not keeps and db.execute(others, (picture_id, comment_id, person.user)).fetchone():
                db.execute("update comment set text = '', x = null, y = null where id = ?", (comment_id,))
            else:
                db.execute("delete from comment where picture = ? and (id = ? or parent = ?)", (picture_id, comment_id, comment_id))
                alone = "and text = '' and not exists (select 1 from comment as other where other.picture = ? and other.parent = ?)"
                db.execute(f"delete from comment where id = ? {alone}", (said.parent, picture_id, said.parent))
        self._changed(picture_id)

    def _changed(self, picture_id: str) -> None:
        self._versions[picture_id] = next(self._changes)

    def _check_room(self, db: sqlite3.Connection, picture_id: str, user: str, parent: str, now: float) -> None:
        if parent:
            query = "select 1 from comment where id = ? and picture = ? and parent = ''"
            if not parent.isascii() or db.execute(query, (parent, picture_id)).fetchone() is None:
                raise NotThere("What you answer is not there any more. Reload the page.")
            if _count(db, "picture = ? and parent = ?", picture_id, parent) >= MOST_ANSWERS:
                raise UserError(f"This thread has {MOST_ANSWERS} answers, which is the most. Begin another one.")
        if _count(db, "user = ? and created > ?", user, now - 60) >= A_MINUTE:
            raise UserError(f"You have written {A_MINUTE} comments within a minute, which is the most. Wait a moment, then send it again.")
        if _on(db, picture_id) >= MOST:
            raise UserError(f"This picture has {MOST:,} comments, which is the most. Remove some first.")


def _thread(db: sqlite3.Connection, root: Said, person: Person, removes: bool) -> CommentThread:
    answers = _rows(db, "picture = ? and parent = ? order by number", root.picture, root.id)
    return {
        "number": root.number,
        "place": root.place,
        "spot": None if root.x is None or root.y is None else [root.x, root.y],
        "settled": root.settled is not None,
        "settler": root.settler_name,
        "comments": [_line(each, person, removes) for each in (root, *answers)],
    }


def _line(said: Said, person: Person, removes: bool) -> CommentLine:
    own = said.user == person.user and said.text != ""
    return {"id": said.id, "name": said.name, "text": said.text, "created": said.created, "removable": removes or own}


def _whose(db: sqlite3.Connection, picture_id: str, person: Person) -> str | None:
    """Whose the picture is; None for one that this person does not see. The owner of the studio sees all."""
    sees, seen = ("1", ()) if person.owner else (person.sees, person.seen)
    query = f"select shelf.user from picture join shelf using (number) where picture.id = ? and {sees}"
    row = db.execute(query, (picture_id, *seen)).fetchone() if picture_id.isascii() else None
    return None if row is None else str(row[0])


def _keeper(db: sqlite3.Connection, picture_id: str, person: Person) -> bool:
    """Whether this person may remove what others say of the picture. Raises `NotThere` for one that they do not see."""
    whose = _whose(db, picture_id, person)
    if whose is None:
        raise NotThere(NO_PICTURE)
    return person.owner or whose == person.user


def _find(db: sqlite3.Connection, comment_id: str, person: Person) -> tuple[str, Said]:
    """The picture of a comment, and its row. One of a picture that this person does not see is as good as none."""
    found = _rows(db, "id = ?", comment_id) if comment_id.isascii() else []
    if not found or _whose(db, found[0].picture, person) is None:
        raise NotThere(NO_COMMENT)
    return found[0].picture, found[0]


def _rows(db: sqlite3.Connection, where: str, *values: object) -> list[Said]:
    return [Said(*row) for row in db.execute(f"select {COLUMNS} from comment where {where}", values)]


def _on(db: sqlite3.Connection, picture_id: str) -> int:
    """How many comments there are on a picture."""
    row = db.execute("select comments from commented where picture = ?", (picture_id,)).fetchone()
    return int(row[0]) if row else 0


def _count(db: sqlite3.Connection, where: str, *values: object) -> int:
    return int(db.execute(f"select count(*) from comment where {where}", values).fetchone()[0])


def _clean(text: str) -> str:
    """As it is kept: lines and tabs stay, other control characters do not. Raises `UserError` for nothing, and for too much."""
    sound = text.encode("utf-8", "ignore").decode().replace("\r\n", "\n")
    clean = "".join(letter for letter in sound if letter in "\n\t" or unicodedata.category(letter) != "Cc").strip()
    if not clean:
        raise UserError("Say something first.")
    if len(clean) > LONGEST:
        raise UserError(f"A comment has at most {LONGEST:,} characters, and this one has {len(clean):,}. Shorten it.")
    return clean
