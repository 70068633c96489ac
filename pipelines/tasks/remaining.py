"""Remaining pictures of a job. One that memory runs out in goes on from there: nothing twice, nothing lost."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from pipelines.requests.request import Request, unroll

Kind = TypeVar("Kind", bound=Request)
Drawn = TypeVar("Drawn", bound=Request, covariant=True)


@dataclass
class Progress:
    """How far a job has come. It outlives an attempt at drawing it."""

    batch: int = 0  # the first one that a recipe begins with
    pictures: int = 0  # those before this index, within the job, are drawn or were skipped
    stored: dict[int, str] = field(default_factory=dict)  # index -> id of a picture that a later round of a loopback begins with


@dataclass(frozen=True)
class Due(Generic[Drawn]):
    """The pictures of one batch that are to be drawn: all of them, or those that an attempt before has left."""

    number: int  # the batch, within the job
    first: int  # index of the first picture, within the job
    singles: Sequence[Drawn]  # each with its own seed

    def indexed(self) -> Iterator[tuple[int, Drawn]]:
        return enumerate(self.singles, self.first)


def due(request: Kind, progress: Progress | None = None) -> Iterator[Due[Kind]]:
    """Batch by batch, from where the job stands. What each still lacks is read when it is asked for."""
    progress = progress or Progress()
    singles, size, number = unroll(request), request.batch_size, progress.batch
    while number < request.batch_total:
        first = max(number * size, min(progress.pictures, (number + 1) * size))
        yield Due(number, first, singles[first : (number + 1) * size])
        number = max(number + 1, progress.batch)
