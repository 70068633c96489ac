"""Names of checkpoints that drew pictures before the book kept them: each is read from one of its pictures."""

from __future__ import annotations

from pipelines.job_book.book import JobBook
from pipelines.job_book.found import read
from pipelines.job_book.rows import is_inside
from pipelines.job_book.shelf import name_model

TRIES = 3  # pictures of one checkpoint that are looked at


def name_models(book: JobBook) -> int:
    """Returns how many got a name. Raises `BookError`."""
    with book.file.reading() as db:
        unnamed = db.execute("select number, id from model where name = ''").fetchall()
    named = [(checkpoint, name) for number, checkpoint in unnamed if (name := _name_in_pictures(book, number))]
    if named:
        with book.file.transaction() as db:
            for checkpoint, name in named:
                name_model(db, checkpoint, name)
        book.shelf_changed()
    return len(named)


def _name_in_pictures(book: JobBook, model: int) -> str:
    """ "" where none of them says it."""
    query = "select path from picture join shelf using (number) where model = ? order by number desc limit ?"
    found = (read(book.folder, row[0]) for row in book.file.rows(query, (model, TRIES)) if is_inside(row[0]))
    return next((picture.model for picture in found if picture and picture.model), "")
