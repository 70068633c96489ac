"""The onlooker: looks at the networks while a job is drawn, for whoever draws it, and changes nothing of them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from pipelines.job_book.book import Job
from pipelines.jobs.events import Event
from pipelines.requests.request import Request

if TYPE_CHECKING:
    from models.diffusion_model import DiffusionModel


class Onlooker:
    """Of one job, in the worker's thread. This one looks at nothing. None of it raises anything."""

    def watching(self, model: DiffusionModel) -> AbstractContextManager[None]:
        """Entered with each model that the job is lent."""
        return nullcontext()

    def heard(self, event: Event | None) -> None:
        """An event of the job, before anybody is told of it. Between two of them looking begins and ends."""

    def close(self) -> None:
        """The job runs no more."""


Onlookers = Callable[[Job, Request], Onlooker]


def nobody(job: Job, request: Request) -> Onlooker:
    """For jobs at which nobody looks."""
    return Onlooker()
