"""The pace of this machine: how many seconds a piece of work takes, learned from every batch that is drawn.

Work is counted in megapixels times steps, of all pictures of a batch, and more of them where AND joins prompts. What has no steps counts
one a batch. The pace is kept for each kind of job on each checkpoint, for the kind alone and for everything, so that something is known of
what was never drawn here.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines.images.tiles import pixels_drawn
from pipelines.prompts.asked import share_of_work
from pipelines.requests.branch import branch_of
from pipelines.requests.request import Drawing, Enlarge, Request, Wordless

NEWEST = 0.3  # share of the newest batch in what is known


@dataclass(frozen=True)
class Paces:
    """Seconds for one piece of work, by sort."""

    known: Mapping[str, float]

    def seconds(self, sort: str, work: float) -> float | None:
        """That a batch is expected to take; None when nothing like it was ever drawn."""
        return next((self.known[each] * work for each in _sorts(sort) if each in self.known), None)


def sort_of(request: Request) -> str:
    """What is drawn at one pace. Words from the most to the least general."""
    model = request.checkpoint if isinstance(request, Drawing | Wordless) else request.upscaler if isinstance(request, Enlarge) else ""
    return f"{request.kind} {model}".strip()


def work_of(request: Request) -> float:
    """Work of one batch."""
    if isinstance(request, Wordless):
        return request.pixels / 1e6 * request.steps
    if not isinstance(request, Drawing):
        return 1.0
    return pixels_drawn(request) / 1e6 * _steps(request) * request.pictures_a_batch * share_of_work(request)


def _steps(request: Drawing) -> int:
    """A branch makes those that are left. Those before it are made once more only where they are not kept, and teach nothing."""
    use = branch_of(request)
    return request.steps if use is None else max(1, request.steps - use.step)


def read_paces(db: sqlite3.Connection) -> Paces:
    return Paces({row["sort"]: row["seconds"] for row in db.execute("select sort, seconds from pace")})


def learn(db: sqlite3.Connection, sort: str, work: float, seconds: float) -> None:
    """A batch has taken so long."""
    if work <= 0 or seconds <= 0:
        return
    query = """insert into pace values (?1, ?2) on conflict (sort) do update set seconds = seconds + ?3 * (excluded.seconds - seconds)"""
    db.executemany(query, [(each, seconds / work, NEWEST) for each in _sorts(sort)])


def _sorts(sort: str) -> Iterator[str]:
    """From the most particular to the most general, which is "" and holds drawings alone."""
    yield sort
    kind, _, checkpoint = sort.partition(" ")
    if checkpoint:
        yield kind
        yield ""
