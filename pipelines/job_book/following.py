"""Following jobs: one that goes on from a picture of another job is queued in the transaction that enters the picture, so neither a
kill nor a second try loses it or queues it twice. What they carry along, and what that means, is known to whoever made it.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import time
from dataclasses import dataclass, field

from pipelines.job_book.order import IDLE, sit_down
from pipelines.job_book.queue import queued_as
from pipelines.requests.request import Request, describe, input_ids

BEHIND = 1e-6  # of a place for each number: behind its job in their order, before whatever stands behind that


@dataclass(frozen=True, slots=True)
class Carried:
    """What a job carries along to those that follow it. `words`: the same, for people. `once`: a name of its place among them. `origin`:
    the id of the picture whose settings it was begun with; what follows has that of the job before it.
    """

    chain: str = ""
    words: str = ""
    once: str = ""
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Following:
    """`megapixels`: what it asks for of what its person may; those of a second pass were asked for with the first."""

    request: Request
    carried: Carried = field(default_factory=Carried)
    megapixels: float = 0.0


def follow(db: sqlite3.Connection, job_id: str, then: Following) -> None:
    """Queues a job of the same person, in the same lane, behind the job and all that follow it, before the person's others; one whose
    place is known by a name is queued once. How many wait is not asked: the job before it had room.
    """
    request, carried = then.request, then.carried
    query = "select number, user, owner, lane, board, origin, grid, cell, coalesce(place, number) as place from job where id = ?"
    before = db.execute(query, (job_id,)).fetchone()
    known = "select 1 from job where user = ? and once = ?"
    if carried.once and db.execute(known, (before["user"], carried.once)).fetchone():
        return
    sit_down(db, before["user"], before["lane"] == IDLE)
    named = secrets.token_urlsafe(16), before["user"], json.dumps(describe(request)), time.time(), before["owner"], before["lane"]
    named += carried.once, carried.chain, carried.words, before["board"], before["origin"], then.megapixels
    named += before["grid"], before["cell"]
    columns = (
        "id, user, request, created, owner, lane, once, chain, chain_words, board, origin, megapixels, grid, cell, batches, each, work, "
        "sort, words"
    )
    query = f"insert into job ({columns}) values ({', '.join('?' * 19)})"
    number = db.execute(query, (*named, *queued_as(request))).lastrowid or 0
    place = before["place"] + BEHIND * (number - before["number"])
    db.execute("update job set place = ? where number = ?", (place, number))
    db.executemany("insert or ignore into input values (?, ?)", [(picture_id, before["user"]) for picture_id in input_ids(request)])
