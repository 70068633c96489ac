"""The state after a step, as plain numbers: what a run goes on from, in another process and on another day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float32]  # (pictures, channels, height, width), of clips (clips, frames, channels, height, width)


@dataclass(frozen=True, slots=True)
class StepState:
    """What `pipelines.samplers.moment.Moment` says, of some pictures of a job that are drawn side by side."""

    leg: int  # which of the runs that one picture takes, from 0: a window, a part, a tile
    index: int  # of the step within its run, from 0
    count: int  # steps of its run
    sigma: float  # the noise level at which the step began
    draws: int  # how often the sampler has asked for noise
    x: Numbers
    x0: Numbers
    remembered: tuple[Numbers | None, ...] = ()  # None: x0, which most samplers take along
    pictures: tuple[int, ...] = (0,)  # their indices within the job, one a row
    gathered: Numbers | None = None  # the pushes of guidance so far, where it has momentum

    @property
    def is_last(self) -> bool:
        return self.index == self.count - 1

    def of(self, picture: int) -> StepState:
        """One of them alone."""
        row = self.pictures.index(picture)
        rows = slice(row, row + 1)
        remembered = tuple(None if each is None else each[rows] for each in self.remembered)
        gathered = None if self.gathered is None else self.gathered[rows]
        return replace(self, x=self.x[rows], x0=self.x0[rows], remembered=remembered, pictures=(picture,), gathered=gathered)


def together(states: Sequence[StepState]) -> StepState:
    """The same step of several pictures as one."""
    first = states[0]
    memory = zip(*(state.remembered for state in states), strict=True)
    return replace(
        first,
        x=np.concatenate([state.x for state in states]),
        x0=np.concatenate([state.x0 for state in states]),
        remembered=tuple(_joined(each) for each in memory),
        pictures=tuple(picture for state in states for picture in state.pictures),
        gathered=_joined([state.gathered for state in states]),
    )


def _joined(parts: Sequence[Numbers | None]) -> Numbers | None:
    there = [part for part in parts if part is not None]
    return np.concatenate(there) if there else None
