"""What the hands have in common: the book, what they draw and who hears of it, and which devices were lost for which job."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.job_book.book import JobBook
from pipelines.job_book.placing import Place
from pipelines.jobs.errands import Errands
from pipelines.jobs.job_run import Followers
from pipelines.jobs.keeping import StepKeeper
from pipelines.jobs.onlooker import Onlookers
from pipelines.jobs.outputs import Outputs
from pipelines.jobs.progress import Bell, JobProgress, Versions

if TYPE_CHECKING:
    from pipelines.jobs.hand import Hand

CABLES = 4  # devices on other computers that may be lost for one job: with them it is the network, more often than not
SECOND = "A second device was lost while this was drawn."
OFTEN = "Devices of several computers were lost while this was drawn."


class Losses:
    """Devices that were lost, by the id of the job that was drawn there and may be the cause."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()

    def too_many(self, job: str, known: bool, away: bool) -> str:
        """One more is lost: a sentence where the job is to blame now, else "". `known`: the job was there already. `away`: on another
        computer.
        """
        self._count[job] += known
        return (OFTEN if away else SECOND) if self._count[job] > (CABLES if away else 1) else ""


@dataclass(frozen=True)
class Shared:
    """Made once, by the worker."""

    book: JobBook
    outputs: Outputs
    steps: StepKeeper
    errands: Errands
    versions: Versions
    bell: Bell
    followers: Followers
    onlooker: Onlookers
    closing: threading.Event
    claiming: threading.Lock  # a job is waiting or live to whoever holds it, and never in between
    live: dict[str, JobProgress]
    moved: Callable[[], None]  # the queue is another, for all who watch and for all hands
    recover: Callable[[], None]  # what a kill has left is looked through, unless it has been
    losses: Losses
    opened: Callable[[Hand], None]
    beside: Callable[[Hand], Sequence[Place]]  # the devices that draw beside this one
    is_helped: Callable[[Hand], bool]  # another one does errands
