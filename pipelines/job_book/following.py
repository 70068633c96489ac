"""Following jobs: one that goes on from a picture of another job is queued in the transaction that enters the picture, so neither a
kill nor a second try loses it or queues it twice.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time

from pipelines.job_book.order import IDLE, sit_down
from pipelines.job_book.queue import queued_as
from pipelines.requests.request import Request, describe, input_ids

BEHIND = 1e-6  # of a place for each number: behind its job in their order, before whatever stands behind that


def follow(db: sqlite3.Connection, job_id: str, request: Request) -> str:
    """Returns the id of the new job: of the same person, in the same lane, behind the job and all that follow it, before the person's
    others. How many wait is not asked: the job before it had room.
    """
    before = db.execute("select number, user, owner, lane, coalesce(place, number) as place from job where id = ?", (job_id,)).fetchone()
    sit_down(db, before["user"], before["lane"] == IDLE)
    following = secrets.token_urlsafe(16)
    named = following, before["user"], json.dumps(describe(request)), time.time(), before["owner"], before["lane"]
    columns = "id, user, request, created, owner, lane, batches, each, work, sort, words"
    query = f"insert into job ({columns}) values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    number = db.execute(query, (*named, *queued_as(request))).lastrowid or 0
    place = before["place"] + BEHIND * (number - before["number"])
    db.execute("update job set place = ? where number = ?", (place, number))
    db.executemany("insert or ignore into input values (?, ?)", [(picture_id, before["user"]) for picture_id in input_ids(request)])
    return following
