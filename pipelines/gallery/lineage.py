"""Lineage: the family of a picture, which others it was made from and which were made from it, over any number of generations."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pipelines.gallery.bin import contents
from pipelines.gallery.person import OWN, TOLD, Person
from pipelines.job_book.book import JobBook
from pipelines.job_book.lineage import Tie, children, known_as, parents
from pipelines.job_book.reader import Reader
from pipelines.job_book.rows import place_of

MOST = 120  # pictures of a family that are told
LOOKS, LOOKED_AT = 3, 24  # times, and files each time, that are read to find out which picture an input is

SizeOf = Callable[[str], tuple[int, int] | None]
# Input pictures of which nobody knows whether they were finished pictures, and finished ones of which nobody has looked what they would be.
UNKNOWN = """select input, shelf.created from lineage join shelf on shelf.number = lineage.picture
  where lineage.picture = ?1 and not exists (select 1 from content where content.input = lineage.input)
  union select origin, shelf.created from fork join shelf on shelf.number = fork.picture where fork.picture = ?1 and length(origin) = 64
  and not exists (select 1 from content where content.input = origin)"""
NOT_LOOKED_AT = """select picture.id, path, place from picture join shelf using (number) where {} and shelf.created < ? {}
  and not exists (select 1 from content where content.picture = number) order by shelf.created desc limit ?"""
OF_SIZE = "and shelf.width = ? and shelf.height = ?"
ROW = f"select number, picture.id, {OWN}, {TOLD}, deleted is not null from picture join shelf using (number)"


@dataclass(frozen=True)
class Kin:
    """One picture of a family. `told`: whether who asks may know how it was made."""

    number: int
    id: str
    own: bool
    told: bool
    deleted: bool


@dataclass
class Family:
    """The pictures nearest to one, itself first. `ties`: each of two that are in it. `more`: others are not told."""

    pictures: list[Kin] = field(default_factory=list[Kin])
    ties: list[Tie] = field(default_factory=list[Tie])
    more: bool = False


class Lineage:
    """Safe to call from any thread."""

    def __init__(self, book: JobBook, reader: Reader) -> None:
        self._book, self._reader = book, reader

    def of(self, picture_id: str, person: Person, size_of: SizeOf = lambda input_id: None) -> Family:
        """As far as this person sees it: a picture that they do not see ends the line there. `size_of`: of an input picture, None for one
        that is gone. Raises `BookError`.
        """
        family = Family()
        for _ in range(LOOKS):
            with self._reader.reading() as db:
                family = _family(db, picture_id, person)
                alike = [each for kin in family.pictures for each in _may_be_made_from(db, self._book.folder, kin.number, person, size_of)]
            if not self._looked_at(alike[:LOOKED_AT]):
                break
        return family

    def _looked_at(self, files: Sequence[tuple[str, Path]]) -> bool:
        """Enters which input pictures these would be. Returns whether any was found out."""
        found = [(picture_id, each) for picture_id, path in files for each in contents(path)]
        for picture_id, each in found:
            known_as(self._book.file, picture_id, each)
        return bool(found)


def _family(db: sqlite3.Connection, picture_id: str, person: Person) -> Family:
    family, ties = Family(), dict[Tie, None]()
    known: dict[int, bool] = {}  # number -> whether it is told
    waiting = deque(row[0] for row in db.execute("select number from picture where id = ?", (picture_id,)))
    while waiting:
        number = waiting.popleft()
        if number in known:
            continue
        kin = _kin(db, number, person)
        known[number] = kin is not None and len(family.pictures) < MOST
        family.more |= kin is not None and not known[number]
        if kin is None or not known[number]:
            continue
        family.pictures.append(kin)
        found = [*parents(db, number), *children(db, number)]
        ties |= dict.fromkeys(found)
        waiting += [each for tie in found for each in (tie.parent, tie.child)]
    family.ties = [tie for tie in ties if known[tie.parent] and known[tie.child]]
    return family


def _kin(db: sqlite3.Connection, number: int, person: Person) -> Kin | None:
    """None for a picture that this person does not see."""
    query = f"{ROW} where number = ? and {person.sees}"
    row = db.execute(query, (*person.users, *person.told, number, *person.seen)).fetchone()
    return Kin(row[0], row[1], bool(row[2]), bool(row[3]), bool(row[4])) if row else None


def _may_be_made_from(db: sqlite3.Connection, folder: Path, number: int, person: Person, size_of: SizeOf) -> list[tuple[str, Path]]:
    """Ids and files of pictures that it may be made from: older, of the size of its input where that is here, and not looked at yet."""
    found: list[tuple[str, Path]] = []
    for input_id, created in db.execute(UNKNOWN, (number,)).fetchall():
        size = size_of(input_id) or ()
        query = NOT_LOOKED_AT.format(person.sees, OF_SIZE if size else "")
        rows = db.execute(query, (*person.seen, created, *size, LOOKED_AT))
        found += [(picture_id, Path(place) if place else folder / place_of(path)) for picture_id, path, place in rows]
    return found
