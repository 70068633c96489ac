"""Steps that are made already when a task begins: by a try at the job before, or by the picture that it branches from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from models.errors import UserError
from pipelines.requests.branch import Branch
from pipelines.steps.state import StepState, together

log = logging.getLogger(__name__)


class MadeSteps(Protocol):
    """Steps of one picture that are made: see `StepFile`."""

    def last(self, leg: int) -> int: ...
    def state(self, leg: int, index: int) -> StepState: ...


Own = Callable[[int], MadeSteps | None]  # index of a picture within the job -> what a try before has left of it
Trunk = Callable[[int], StepState | None]  # leg -> the state that the branch goes on from, or with which that leg ended


def nothing(index: int) -> None:
    """Neither of a picture nor of a leg."""


@dataclass(frozen=True)
class Begun:
    """`own`: of tries before. `branch`: what the task's only picture branches from, and `trunk` the steps of that."""

    own: Own = nothing
    branch: Branch | None = None
    trunk: Trunk = nothing

    def at(self, leg: int, pictures: Sequence[int]) -> StepState | None:
        """The newest state of these pictures, which are drawn side by side; None where the leg is to be drawn from its beginning."""
        own, branch = self._own(leg, pictures), self.branch
        if branch is None or (leg > branch.leg and not branch.shown):
            return own
        if own and (own.index >= branch.step - 1 if leg == branch.leg else own.is_last):
            return own
        found = self.trunk(leg)
        return replace(found, pictures=tuple(pictures)) if found else None

    def is_shown(self, leg: int) -> bool:
        """What was predicted then is what comes of this leg."""
        return self.branch is not None and self.branch.shown and leg == self.branch.leg

    @property
    def needs_trunk(self) -> bool:
        """A try before has not come to where the branch begins."""
        branch = self.branch
        if branch is None:
            return False
        own = self._own(branch.leg, (0,))
        return branch.shown or own is None or own.index < branch.step - 1

    def _own(self, leg: int, pictures: Sequence[int]) -> StepState | None:
        """What cannot be read is drawn again."""
        try:
            files = [found for picture in pictures if (found := self.own(picture))]
            index = min((file.last(leg) for file in files), default=-1)
            if index < 0 or len(files) < len(pictures):
                return None
            return together([file.state(leg, index) for file in files])
        except (UserError, KeyError) as error:
            log.warning("steps of a job that goes on cannot be read, and are drawn again: %s", error)
            return None


NOT_BEGUN = Begun()
