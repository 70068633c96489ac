"""Placing: which device draws what, where there are several. Worked out from plain values alone; the job book and the bench ask the same.

The ring says whose turn it is (`ring.py`); a device that has nothing to do asks for one of those who may be next. It takes

  - first what it has the model for, in the order of the ring;
  - of all else what would not end earlier on another device, counting the seconds until that one is free, those in which a model is read
    where it is not there, those in which its file comes to a device with folders of its own, and those that such a batch takes there;
  - nothing at all, where each batch that may be next ends earlier elsewhere. It asks again when anything has changed.

What others will have to draw before is counted as theirs, so many jobs on one model come to more devices than the one that has it, as soon
as reading it once more is worth its time. A batch that was passed over as often as the ring allows comes first: each device asks for it
before all else, and takes it unless it ends earlier elsewhere, where it is the next one then. Once it was passed over as often on every
device, nothing else is begun before it, so the bound of the ring holds over all devices together.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from types import MappingProxyType
from typing import TYPE_CHECKING

from pipelines.job_book.pace import Paces

if TYPE_CHECKING:
    from pipelines.job_book.ring import Entry

ALL_HERE: Mapping[str, float] = MappingProxyType({})  # no model has to be sent
WORTH = 0.5  # seconds that another device must end a batch earlier, so that one waits for it


@dataclass(frozen=True, slots=True)
class Place:
    """A device that draws, as it is at this moment."""

    name: str = ""  # by which its pace is known; those of one name are alike
    ready: frozenset[str] = frozenset()  # ids of models that can draw there at once
    free: float = 0.0  # seconds until it begins something else; 0 for the one that asks
    coming: Mapping[str, float] = field(default_factory=lambda: ALL_HERE)  # ids of models that have to be sent there, with the seconds


@dataclass(frozen=True, slots=True)
class Offer:
    """Batches of which the next one is chosen."""

    due: Entry  # whose turn has waited longest
    overdue: Sequence[Entry]  # those that were passed over often enough, in the order of their turns
    first: Sequence[Entry]  # of each person who may be first the next job, in the order of the ring
    behind: Sequence[Sequence[Entry]] = ()  # of each of these persons the jobs that follow it


@dataclass(frozen=True)
class Placing:
    """For the device that asks. `others`: those that draw beside it, without any that is paused or not there."""

    here: Place = Place()
    others: tuple[Place, ...] = ()
    paces: Paces = field(default_factory=lambda: Paces({}))

    def chosen(self, offer: Offer) -> Entry | None:
        """None: all of them are drawn earlier elsewhere."""
        ready = [job for job in offer.first if job.model and job.model in self.here.ready]
        if not self.others:
            return ready[0] if ready else offer.due
        return self._planned(list({job.number: job for job in (*offer.overdue, *ready, offer.due, *offer.first)}.values()), offer.behind)

    def _planned(self, first: Sequence[Entry], behind: Sequence[Sequence[Entry]]) -> Entry | None:
        """The first one of which no other device, with all that comes before, is sooner at the end. Where that is none of them but this
        device is needed for what is behind, the one that loses least by being drawn here.
        """
        plan, losses = _Plan([self.here, *self.others], self.paces), list[float]()
        for job in first:
            losses.append(plan.gives(job))
            if losses[-1] <= 0:
                return job
        is_needed = any(plan.gives(job) <= 0 for job in _in_rounds(behind))
        return first[losses.index(min(losses))] if is_needed else None


class _Plan:
    """The devices in the order of being asked, the one that asks first."""

    def __init__(self, places: Sequence[Place], paces: Paces) -> None:
        self._places, self._paces = places, paces
        self._free = [place.free for place in places]
        self._ready = [set(place.ready) for place in places]
        self._coming = [dict(place.coming) for place in places]

    def gives(self, job: Entry) -> float:
        """Seconds by which the next batch ends earlier on another device than on the one that asks; 0 where that is not worth waiting. What
        another device is given, all batches that are left, it draws before all that follows.
        """
        ends = [self._end(number, job) for number in range(len(self._places))]
        sooner = min(range(1, len(ends)), key=ends.__getitem__)
        if ends[0] <= ends[sooner] + WORTH:
            return 0.0
        self._free[sooner] = ends[sooner] + (job.left - 1) * self._seconds(sooner, job)
        self._ready[sooner].add(job.model)
        self._coming[sooner].pop(job.model, None)
        return ends[0] - ends[sooner]

    def _end(self, number: int, job: Entry) -> float:
        reading = 0.0 if job.model in self._ready[number] else self._paces.reading(job.model)
        return self._free[number] + self._coming[number].get(job.model, 0.0) + reading + self._seconds(number, job)

    def _seconds(self, number: int, job: Entry) -> float:
        return self._paces.seconds(job.sort, job.work, self._places[number].name) or 0.0


def left_of(expected: float, elapsed: float) -> float:
    """Seconds that something still takes. What takes longer than was expected may take as long again as it is late."""
    return abs(expected - elapsed)


def _in_rounds(behind: Sequence[Sequence[Entry]]) -> Iterator[Entry]:
    for one_each in zip_longest(*behind):
        yield from (job for job in one_each if job is not None)
