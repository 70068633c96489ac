"""Tries at drawing a job. When memory runs out, the batch is drawn once more in a sparing way, and so are those after it; when numbers
overflow on a card, with more careful kernels of attention.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Generator

from models.errors import Interrupted, Overflow, UserError
from models.memory.device import ATTENTIONS, Device, more_careful
from models.memory.forecast import drop_frames, is_out_of_memory
from pipelines.jobs.events import Event
from pipelines.jobs.runner import Events
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Request
from pipelines.runtime.workshop import Workshop
from pipelines.steps.begun import Own
from pipelines.steps.store import StepFile

log = logging.getLogger(__name__)


class Tries(ABC):
    """One job: how far it has come, and whether it goes on in the sparing way."""

    def __init__(self, workshop: Workshop, job: Request, progress: Progress, own: Own | None = None) -> None:
        """`progress`: where the job stands; it is led on. `own`: steps of its pictures that are made; without it, those that are kept."""
        self._own = own or self._going
        self._workshop, self._job, self._progress = workshop, job, progress
        self._sparing = False
        self._attention = ATTENTIONS[0]

    def batch(self, number: int) -> Events:
        """Whatever of it is not drawn when memory runs out is tried again, as long as each other try brings a picture."""
        self._turn_to(number)
        end, tries = (number + 1) * self._job.pictures_a_batch, 0
        self._progress.batch = number
        while self._progress.pictures < end:
            before = self._progress.pictures
            if not (yield from self._attempt()):
                return
            tries = 1 if self._progress.pictures > before else tries + 1
            if tries > 1:
                raise UserError(self._exhausted())
            self._sparing = True
            self._spare()

    def _attempt(self) -> Generator[Event | None, None, bool]:
        """Draws the rest of a batch. True when memory ran out; nothing of the attempt but its pictures is then kept."""
        try:
            yield from self._events()
        except Interrupted:  # within a step
            memory_ran_out = False
        except Exception as error:
            memory_ran_out = is_out_of_memory(error)
            if not (memory_ran_out or (isinstance(error, Overflow) and self._turned_careful())):
                raise
            log.warning("the attempt is given up: %s", drop_frames(error))
        else:
            return False
        self.close()
        if memory_ran_out:
            return True
        self._workshop.heed()
        yield None  # a job that is stopped ends here
        return (yield from self._attempt())

    def _turned_careful(self) -> bool:
        """Whether there are kernels of attention that may do better. They are then used for the rest of the job."""
        device = self._device()
        way = more_careful(self._attention, device) if device else None
        self._attention = way or self._attention
        return way is not None

    def _going(self, picture: int) -> StepFile | None:
        """What a try before has left of a picture."""
        return self._workshop.steps.going(self._progress.job, picture)

    @abstractmethod
    def close(self) -> None:
        """Ends the recipe and gives back what it was lent."""

    @abstractmethod
    def _turn_to(self, number: int) -> None:
        """Batch `number` comes next."""

    @abstractmethod
    def _events(self) -> Events:
        """One try at what is left of the batch."""

    @abstractmethod
    def _spare(self) -> None:
        """Makes all the room there is."""

    @abstractmethod
    def _exhausted(self) -> str:
        """A sentence: there is not enough memory, and what would fit."""

    @abstractmethod
    def _device(self) -> Device | None:
        """On which it is drawn, once that is known."""
