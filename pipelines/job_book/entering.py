"""Entering a finished picture: its row, what the shelf and the family know of it, and whose its inputs are then."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection

from pipelines.job_book import forks
from pipelines.job_book.desks import arrive
from pipelines.job_book.rows import Job, PictureRecord
from pipelines.job_book.shelf import Entered, put
from pipelines.requests.request import describe, input_ids


def enter(
    db: sqlite3.Connection, job: Job, picture: PictureRecord, path: str, model: str, contents: Collection[str], arrives: bool
) -> None:
    """`path`: as the book has it. `model`, `contents`: see `JobBook.add_picture`. `arrives`: on the board that its job draws onto."""
    size, written = (picture.width, picture.height), json.dumps(describe(picture.request))
    values = (picture.id, job.id, job.user, path, *size, picture.seed, picture.created, written)
    columns = "id, job, user, path, width, height, seed, created, request"
    db.execute("delete from picture where path = ?", (path,))  # tried again, or found in the folder meanwhile
    number = db.execute(f"insert into picture ({columns}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)", values).lastrowid or 0
    put(db, Entered(number, job.user, job.id, picture.created, size, picture.seed, written, model, contents))
    forks.put(db, number, job.origin)
    if arrives:
        arrive(db, job.board, job.user, number)
    # a loopback round begins with a picture that nobody has put in
    db.executemany("insert or ignore into input values (?, ?)", [(each, job.user) for each in input_ids(picture.request)])
