"""Lineage in the book: which pictures a picture was made from, and which were made from it, as their numbers.

lineage    which input pictures each picture was made from (`shelf.py`); content: which input pictures a picture would be
job.grid   pictures that are cells of one grid were made from its first one, if from nothing else
fork       whose settings a picture was begun with (`forks.py`); `origin` is the id of that picture, or where it was not here when that
           was written, its content, by which it is found once it is
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from pipelines.job_book.errors import BookError
from pipelines.job_book.file import BookFile
from pipelines.metadata.provenance import SETTINGS_FROM

MOST_CELLS = 150  # of one grid that are looked for
# An input picture may be what several pictures are: then the newest one counts that was there before.
MADE_FROM = """select coalesce(max(case when content.picture < ?1 then content.picture end), min(content.picture)) as number, lineage.input
  from lineage join content using (input) where lineage.picture = ?1 and content.picture <> ?1 group by lineage.input"""
BEGUN_WITH = """select picture.number, '' as input from fork join picture on picture.id = fork.origin where fork.picture = ?1
  union select min(content.picture), '' from fork join content on content.input = fork.origin where fork.picture = ?1
  group by fork.origin"""
MADE_OF_IT = "select lineage.picture as number, lineage.input from content join lineage using (input) where content.picture = ?1"
SETTINGS_OF_IT = """select fork.picture as number, '' as input from fork join picture on picture.id = fork.origin where picture.number = ?1
  union select fork.picture, '' from fork join content on content.input = fork.origin where content.picture = ?1"""

# The first picture of a grid; a second pass is no cell by itself.
FIRST = """(select min(picture.number) from picture join job on job.id = picture.job where job.grid = mine.grid)"""
CELL = """from picture join job as mine on mine.id = picture.job where mine.grid <> ''
  and mine.number = (select min(number) from job where grid = mine.grid and cell = mine.cell)
  and not exists (select 1 from fork where fork.picture = picture.number)"""
IN_GRID = f"select {FIRST} {CELL} and picture.number = ?1"
OF_GRID = f"""select picture.number {CELL} and mine.grid = (select grid from job join picture on picture.job = job.id
  where picture.number = ?1 and grid <> '') and {FIRST} = ?1 limit {MOST_CELLS}"""


def create(db: sqlite3.Connection) -> None:
    """The step of the schema (`pipelines.job_book.schema`)."""
    db.execute("create index content_input on content (input)")


@dataclass(frozen=True, slots=True)
class Tie:
    """One picture was made from another. `input`: the id of the input picture that joins them, "" where it is the settings alone.
    `grid`: they are cells of one grid.
    """

    parent: int
    child: int
    input: str
    grid: bool = False


def known_as(file: BookFile, picture_id: str, input_id: str) -> None:
    """A finished picture is this input picture. Raises `BookError`."""
    with file.transaction() as db:
        db.execute("insert or ignore into content select number, ? from picture where id = ?", (input_id, picture_id))


def begun_with(file: BookFile, picture_id: str) -> dict[str, str]:
    """What a picture says of the one whose settings it was begun with: its content, by which it is known elsewhere too. Nothing where that
    is not known, or the book cannot be read now.
    """
    query = "select min(input) as input from content join picture on picture.number = content.picture where id = ?"
    with suppress(BookError):
        if picture_id and (known := file.rows(query, (picture_id,))[0]["input"]):
            return {SETTINGS_FROM: known}
    return {}


def parents(db: sqlite3.Connection, number: int) -> Iterator[Tie]:
    for query in (MADE_FROM, BEGUN_WITH):
        yield from (Tie(row[0], number, row[1]) for row in db.execute(query, (number,)) if row[0] not in (None, number))
    yield from (Tie(row[0], number, "", grid=True) for row in db.execute(IN_GRID, (number,)) if row[0] not in (None, number))


def children(db: sqlite3.Connection, number: int) -> Iterator[Tie]:
    """Those of which this is the parent that counts."""
    for query in (MADE_OF_IT, SETTINGS_OF_IT):
        found = [Tie(number, row[0], row[1]) for row in db.execute(query, (number,)) if row[0] != number]
        yield from (tie for tie in found if tie in set(parents(db, tie.child)))
    yield from (Tie(number, row[0], "", grid=True) for row in db.execute(OF_GRID, (number,)) if row[0] != number)
