"""The pace of this machine: how many seconds a piece of work takes, learned from every batch that is drawn.

Work is counted in megapixels times steps, of all pictures of a batch, and more of them where AND joins prompts. What has no steps counts
one a batch. The pace is kept for each kind of job on each checkpoint, for the kind alone and for everything, so that something is known of
what was never drawn here. Where several devices draw, each has its own pace beside that of all.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipelines.images.tiles import pixels_drawn
from pipelines.prompts.asked import share_of_work
from pipelines.requests.branch import branch_of
from pipelines.requests.request import Drawing, Enlarge, Request, Wordless

READING = "reading"  # instead of a kind, before a model
NEWEST = 0.3  # share of the newest batch in what is known


@dataclass(frozen=True)
class Paces:
    """Seconds for one piece of work, by sort; by device and sort; and those of reading a model."""

    known: Mapping[str, float]

    def seconds(self, sort: str, work: float, device: str = "") -> float | None:
        """That a batch is expected to take; None when nothing like it was ever drawn. `device`: there, by its name."""
        if device and (own := self.known.get(_on(device, sort))) is not None:
            return own * work
        common = next((self.known[each] for each in _sorts(sort) if each in self.known), None)
        return None if common is None else common * work * self._ratio(device)

    def reading(self, model: str) -> float:
        """Seconds in which a model comes from the disk; 0 while nobody knows."""
        return self.known.get(f"{READING} {model}", self.known.get(READING, 0.0)) if model else 0.0

    def _ratio(self, device: str) -> float:
        """How much longer the device takes than all together."""
        own, common = self.known.get(_on(device, "")), self.known.get("")
        return own / common if device and own and common else 1.0


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


def learn(db: sqlite3.Connection, sort: str, work: float, seconds: float, device: str = "") -> None:
    """A batch has taken so long. `device`: on which, where there are several."""
    if work <= 0 or seconds <= 0:
        return
    own = [_on(device, each) for each in _sorts(sort) if each in (sort, "")] if device else []
    _keep(db, [*_sorts(sort), *own], seconds / work)


def learn_reading(db: sqlite3.Connection, sort: str, seconds: float) -> None:
    """A batch, for which models were read, has taken so much longer than others of its sort."""
    if (model := model_of(sort)) and seconds > 0:
        _keep(db, [f"{READING} {model}", READING], seconds)


def model_of(sort: str) -> str:
    """The id of the model that a sort names, or ""."""
    return sort.partition(" ")[2]


def _keep(db: sqlite3.Connection, sorts: Sequence[str], seconds: float) -> None:
    query = """insert into pace values (?1, ?2) on conflict (sort) do update set seconds = seconds + ?3 * (excluded.seconds - seconds)"""
    db.executemany(query, [(each, seconds, NEWEST) for each in sorts])


def _on(device: str, sort: str) -> str:
    return f"{device}|{sort}"


def _sorts(sort: str) -> Iterator[str]:
    """From the most particular to the most general, which is "" and holds drawings alone."""
    yield sort
    kind, _, checkpoint = sort.partition(" ")
    if checkpoint:
        yield kind
        yield ""
