"""The gallery: what the page asks of all pictures that were made. The searches, the marks, the boards, the bin, ZIPs and small versions."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from models.errors import UserError
from models.json_values import is_row, listed
from pipelines.gallery.answers import GalleryChip, GalleryDetails, GalleryHeadings, GalleryKin, GalleryOffers, GalleryPicture, GalleryWindow
from pipelines.gallery.bin import Bin, Due, is_needed
from pipelines.gallery.boards import Boards
from pipelines.gallery.comments import Comments
from pipelines.gallery.download import Downloads
from pipelines.gallery.leaving import Leaving
from pipelines.gallery.lineage import Lineage
from pipelines.gallery.listing import Asked, Listing, Listings, group_named, heading, order_named
from pipelines.gallery.marks import Changes, Marks
from pipelines.gallery.names import name_models
from pipelines.gallery.offers import offers_of
from pipelines.gallery.person import NOT_YOURS, OWN, Person, is_shown, is_told
from pipelines.gallery.query import Clock, Term, parse
from pipelines.gallery.thumbs import Thumbs
from pipelines.job_book.book import JobBook
from pipelines.job_book.reader import Reader
from pipelines.job_book.rows import place_of

MOST_ROWS = 500  # of one window
MOST_MINUTES = 16 * 60  # of a time zone
SHOWN = 300  # letters of a prompt
GROUPS = {"day": "created", "board": "name"}
PROMPT = f"substr(case when json_valid(request) then json_extract(request, '$.prompt') end, 1, {SHOWN})"
PLAYS = ", ".join(f"case when json_valid(request) then json_extract(request, '$.{name}') end" for name in ("frames", "frames_a_second"))
# What one person thinks of a picture is not told another one, nor how it was made where that is kept from them.
MINE = "shelf.user in (?1, ?2)"
TOLD = f"({MINE} or (?3 and not shelf.hidden))"  # as `pipelines.gallery.person` says it
MAKER = "select coalesce(person.name, ''), picture.user in (?, ?) from picture left join person using (user) where picture.id = ?"
ROWS = f"""select json_group_array(json_array(number, id, shelf.width, shelf.height, shelf.created, {MINE} * rating, {MINE} * favourite,
    {MINE} and note <> '', {TOLD} and control, case when {TOLD} then kind else '' end, case when {TOLD} then {PROMPT} end,
    case when {TOLD} then cast(shelf.seed as text) end, shelf.job, deleted, {MINE}, {TOLD}, {PLAYS}))
  from shelf join picture using (number) where number in ({{}})"""


class Gallery:
    """Safe to call from any thread. Everything raises `BookError`, and `UserError` for what cannot be done."""

    def __init__(self, book: JobBook, gave_back: Callable[[str, int, int], None] = lambda user, number, size: None) -> None:
        """`gave_back`: hears of room that is free again: whose, the number of the picture, its bytes."""
        self._book = book
        self._reader = Reader(book.file.path)
        self._listings = Listings(book, self._reader)
        self._gave_back = gave_back
        self.on_removed: Callable[[str], None] = lambda path: None  # hears of the path of each picture that has left the bin for good
        self._changes = Changes(book)
        self.marks = Marks(self._changes)
        self.boards = Boards(self._changes)
        self.comments = Comments(book, self._reader)
        self.lineage = Lineage(book, self._reader)
        self.leaving = Leaving(book)
        self.downloads = Downloads(book, self.leaving)
        self.thumbs = Thumbs(book.folder / ".thumbs")
        self.bin = Bin(self._changes, self._reader, self._gone)

    def start(self) -> None:
        """Puts in order what is not, and has what is due leave the bin, now and from time to time: beside everything else."""
        self.bin.start(self._put_in_order)

    def close(self) -> None:
        self.bin.close()
        self._reader.close()

    def window(self, person: Person, asked: Asked, offset: int, count: int) -> GalleryWindow:
        """At most 500 pictures from `offset` on."""
        listing = self._listings.of(person, asked)
        numbers = listing.numbers[max(offset, 0) : max(offset, 0) + min(max(count, 0), MOST_ROWS)]
        return {
            "version": listing.version,
            "total": len(listing.numbers),
            "offset": max(offset, 0),
            "pictures": self._rows(list(numbers), person),
            "chips": [chip(term) for term in asked.query.terms],
            "notes": [*asked.query.notes, *listing.notes],
        }

    def headings(self, person: Person, asked: Asked) -> GalleryHeadings:
        """Of the groups that were asked for, in the order of the pictures."""
        listing = self._listings.of(person, asked)
        named = self._headings(asked, listing) if asked.group in GROUPS else []
        return {
            "version": listing.version,
            "total": len(listing.numbers),
            "counts": [count for _, count in listing.heads],
            "keys": [key for key, _ in named],
            "titles": [title for _, title in named],
            "notes": [*asked.query.notes, *listing.notes],
        }

    def offers(self, person: Person) -> GalleryOffers:
        """What occurs among this person's pictures, for a search to choose from."""
        with self._reader.reading() as db:
            return offers_of(db, person)

    def details(self, picture_id: str, person: Person) -> GalleryDetails:
        """Raises `UserError` when the picture is not this person's."""
        mine = "shelf.user in (?, ?)"
        query = f"""select number, {mine} * rating, {mine} * favourite, case when {mine} then note else '' end, deleted,
            (select json_group_array(id) from on_board join board on number = board
              where picture = shelf.number and {person.sees_board} and board.deleted is null)
          from shelf join picture using (number) where picture.id = ? and {person.sees}"""
        with self._reader.reading() as db:
            asked = (*person.users * 3, *person.seen_boards, picture_id, *person.seen)
            row = db.execute(query, asked).fetchone()
            if row is None:
                raise UserError(NOT_YOURS)
            number, rating, favourite, note, deleted, boards = row
            needed = deleted is not None and is_needed(db, number)
        found: GalleryDetails = {
            "id": picture_id,
            "rating": rating,
            "favourite": bool(favourite),
            "note": note,
            "boards": [str(each) for each in listed(json.loads(boards))],
            "deleted": deleted,
            "needed": needed,
        }
        return found

    def shows(self, picture_id: str, person: Person) -> bool:
        """Whether this person sees the picture: their own, or one on a board that is shared with them; the owner sees all."""
        return person.owner or self.shares(picture_id, person)

    def shares(self, picture_id: str, person: Person) -> bool:
        """The same but for what the owner sees beside it: it is their own, or on a board that is shared with them."""
        with self._reader.reading() as db:
            return is_shown(db, picture_id, person)

    def tells(self, picture_id: str, person: Person) -> bool:
        """Whether this person, who sees the picture, may know how it was made: it is their own, or neither its maker nor their link keeps
        that from them. Asked by every way out of a picture that `Person.reads` does not answer.
        """
        with self._reader.reading() as db:
            return is_told(db, picture_id, person)

    def kin(self, picture_id: str, person: Person) -> GalleryKin:
        """Of a picture that this person sees: whose it is, whose settings it was begun with, and how many were begun with its own."""
        query = f"""select {OWN}, hidden, coalesce(person.name, ''), coalesce(origin, ''),
            (select count(*) from fork as other join shelf as made on made.number = other.picture
              where other.origin = picture.id and made.user <> shelf.user)
          from picture join shelf using (number) left join fork on fork.picture = shelf.number left join person on person.user = shelf.user
          where picture.id = ?"""
        with self._reader.reading() as db:
            own, hidden, maker, origin, forks = db.execute(query, (*person.users, picture_id)).fetchone()
            shown = bool(origin) and is_shown(db, origin, person)
            named = db.execute(MAKER, (*person.users, origin)).fetchone() if shown else None
        return {
            "own": bool(own),
            "maker": maker,
            "hidden": bool(own and hidden),
            "forked": bool(origin),
            "origin": origin if shown else "",
            "origin_maker": named[0] if named else "",
            "origin_own": bool(named and named[1]),
            "forks": forks,
        }

    def place(self, picture_id: str) -> tuple[str, Path, bool] | None:
        """Whose a picture is, its file, and whether another program may have written that; without a look at its settings."""
        rows = self._book.file.rows("select user, path, place, program from picture where id = ?", (picture_id,))
        if not rows:
            return None
        file = Path(rows[0]["place"]) if rows[0]["place"] else self._book.folder / place_of(rows[0]["path"])
        return rows[0]["user"], file, rows[0]["program"] is not None

    def empty_bin(self, person: Person) -> int:
        """Returns how many pictures leave it."""
        count = self.marks.empty(person)
        self.bin.wake()
        return count

    def _rows(self, numbers: list[int], person: Person) -> list[GalleryPicture]:
        """Those that are still there."""
        query = ROWS.format(", ".join(map(str, numbers)))
        with self._reader.reading() as db:
            text = db.execute(query, (*person.users, not person.bare)).fetchone()[0]
        found = {row[0]: picture_of(row) for row in listed(json.loads(text)) if is_row(row)}
        return [found[number] for number in numbers if number in found]

    def _headings(self, asked: Asked, listing: Listing) -> list[tuple[str, str]]:
        with self._reader.reading() as db:
            return [heading(db, asked.group, number) for number, _ in listing.heads]

    def _put_in_order(self) -> None:
        self._changes.tidy(self._reader)
        name_models(self._book)

    def _gone(self, due: Due) -> None:
        self.thumbs.remove(due.id)
        self.on_removed(due.path)
        self._gave_back(due.user, due.number, due.bytes)


def asked_for(query: str, group: str = "", order: str = "newest", offset: int = 0) -> Asked:
    """A question in a person's words. `offset`: minutes east of Greenwich. Raises `UserError` for a group or an order that there is not."""
    if abs(offset) > MOST_MINUTES:
        raise UserError("This time zone is more than 16 hours from Greenwich.")
    return Asked(parse(query, Clock(time.time(), offset)), group_named(group), order_named(order), offset)


def chip(term: Term) -> GalleryChip:
    return {"text": term.text, "field": term.field, "value": term.said, "negated": term.negated}


def picture_of(row: Sequence[object]) -> GalleryPicture:
    """A row of `ROWS`. What a damaged book holds becomes text or a number."""
    picture, width, height, created, rating, favourite, noted, control, kind, prompt, seed, job, deleted, own, told, frames, pace = row[1:]
    return {
        "id": str(picture),
        "width": _number(width),
        "height": _number(height),
        "created": float(created) if isinstance(created, int | float) else 0.0,
        "rating": _number(rating),
        "favourite": bool(favourite),
        "noted": bool(noted),
        "control": bool(control),
        "kind": str(kind),
        "prompt": prompt if isinstance(prompt, str) else "",
        "seed": "" if seed in ("-1", None) else str(seed),
        "job": str(job),
        "deleted": float(deleted) if isinstance(deleted, int | float) else None,
        "own": bool(own),
        "frames": _number(frames),
        "pace": _number(pace),
        "told": bool(told),
    }


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
