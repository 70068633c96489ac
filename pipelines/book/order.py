"""Whose job is drawn next, and at which place each one stands."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection

PASSES = 3  # jobs that may be drawn before a job when its turn has come, because their checkpoint is at hand


def fair_turn(db: sqlite3.Connection) -> int:
    """The fair order goes on by one: the job whose turn it is now, drawn already or not, gets the next number, which is returned."""
    turn = db.execute("select coalesce(max(turn), 0) + 1 from job").fetchone()[0]
    row = db.execute(
        "select min(number) as number, job.user from job left join user_turn using (user) where turn is null"
        " group by job.user order by coalesce(last, 0), 1 limit 1"
    ).fetchone()
    if row:
        db.execute("update job set turn = ? where number = ?", (turn, row["number"]))
        query = "insert into user_turn values (?, ?) on conflict (user) do update set last = excluded.last"
        db.execute(query, (row["user"], time.time()))
    return turn


def next_number(db: sqlite3.Connection, turn: int, at_hand: Collection[str]) -> int | None:
    """Which job is drawn; None when none waits.

    Of everybody's first ones, those whose turn has come before the others: the first at hand, or else the first.
    """
    waiting = db.execute(
        "select min(number) as number, turn from job left join user_turn using (user) where state = 'waiting'"
        " group by job.user order by turn is null, turn, coalesce(last, 0), 1"
    ).fetchall()
    if not waiting:
        return None
    first = waiting[0]
    overdue = first["turn"] is not None and first["turn"] <= turn - PASSES
    for row in waiting if at_hand and not overdue else ():
        query = "select case when json_valid(request) then json_extract(request, '$.checkpoint') end from job where number = ?"
        if db.execute(query, (row["number"],)).fetchone()[0] in at_hand:
            return row["number"]
    return first["number"]


def place_in_order(waiting: list[sqlite3.Row], job_id: str, running: int) -> int:
    """The place of a job: those whose turn has come, then everybody's first jobs in the order of their last turns, then the second ones."""
    rounds: dict[str, int] = {}
    order = []
    for number, row in enumerate(waiting):
        if row["turn"] is not None:
            order.append((-1, row["turn"], number, row["id"]))
            continue
        order.append((rounds.setdefault(row["user"], 0), row["last"], number, row["id"]))
        rounds[row["user"]] += 1
    places = {entry[3]: place for place, entry in enumerate(sorted(order))}
    return places[job_id] + running if job_id in places else 0
