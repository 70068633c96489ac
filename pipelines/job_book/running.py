"""Jobs that run, in the job book: begun, and what becomes of them when the server went away meanwhile."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection

from pipelines.job_book.order import sit_down
from pipelines.job_book.rows import Job, job_of

RUNS = "state in ('waiting', 'running') and state = 'running'"  # said in both ways, so that the partial index of active jobs is used


def recovered(db: sqlite3.Connection, running: Collection[str], came_on: Callable[[str], bool] = lambda job_id: False) -> int:
    """Of what is said to run and does not, what has come on since it was begun waits again, to go on where it stands; so does, once, what
    is one of several steps, as the ones before it went well, or a cell of a grid. The rest may be what the process died of, and is marked
    as interrupted; returns how many. `running`: the ids of what does run.
    """
    message = "The studio was restarted while this was drawn. Finished pictures are kept; generate again for the rest."
    query = f"select id, user, pictures > begun as came_on, (chain <> '' or grid <> '') and not tried as again from job where {RUNS}"
    lost = [row for row in db.execute(query) if row["id"] not in running]
    goes_on = {row["id"] for row in lost if row["came_on"] or came_on(row["id"])}
    for row in lost:
        if row["id"] in goes_on or row["again"]:
            sit_down(db, row["user"])
            db.execute("update job set state = 'waiting', tried = tried + ? where id = ?", (row["id"] not in goes_on, row["id"]))
        else:
            query = "update job set state = 'interrupted', message = ?, ended = ? where id = ?"
            db.execute(query, (message, time.time(), row["id"]))
    return sum(row["id"] not in goes_on and not row["again"] for row in lost)


def begun(db: sqlite3.Connection, number: int) -> Job | None:
    """The waiting job of that number, now running; None when it cannot be read, and then it has failed."""
    query = "update job set state = 'running', started = coalesce(started, ?), begun = pictures, held = null where number = ?"
    db.execute(query, (time.time(), number))
    job = job_of(db.execute("select * from job where number = ?", (number,)).fetchone())
    if job.note:
        query = "update job set state = 'failed', message = ?, ended = ? where number = ?"
        db.execute(query, (f"{job.note} This job was not drawn.", time.time(), number))
    return None if job.note else job
