"""The runner's interface: the seam between the worker, which knows jobs, and the runner, which knows weights."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Generator, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from models.memory.forecast import Machine
from models.memory.manager import Key, LedgerLine
from pipelines.jobs.events import Event
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Drawing, Request, Wordless
from pipelines.steps.begun import Own

if TYPE_CHECKING:
    from PIL.Image import Image

    from models.diffusion_model import DiffusionModel
    from models.networks.vision import Vision
    from pipelines.preprocessors.annotators import Annotator
    from pipelines.steps.state import Numbers

log = logging.getLogger(__name__)

Events = Generator[Event | None]  # of one batch; None is a place to stop at without news
# Entered with each model that draws: looks at its networks meanwhile, and changes nothing of them.
Watching = Callable[["DiffusionModel"], AbstractContextManager[None]]


class Runner(Protocol):
    """Turns requests into pictures. Every call comes from the worker's thread; the properties may be read from any."""

    @property
    def machine(self) -> Machine: ...

    @property
    def device_name(self) -> str:
        """By the name that torch has for it; devices of one name are taken to be alike."""
        ...

    @property
    def ledger(self) -> tuple[LedgerLine, ...]:
        """What is in memory."""
        ...

    @property
    def runtime(self) -> Mapping[str, str]:
        """On what, in which numbers and with which versions it computes."""
        ...

    is_apart: bool
    """It draws in a process of its own: nobody can look at its networks, and when it is lost it can be opened anew."""

    lost: str
    """Why nothing can be drawn here any more, in a sentence; "" as long as it can."""

    reading: Key | None
    """What is being read from the disk at this moment."""

    tell: Callable[[], None]
    """Called whenever `reading` has changed, and when what is apart is lost."""

    def unload(self, line_id: str) -> None: ...

    def close(self) -> None:
        """Nothing is drawn here any more."""
        ...

    def interrupt(self) -> None:
        """From any thread: whatever is being loaded is given up soon, so that the next place to stop at comes early."""
        ...

    def at_hand(self) -> Collection[str]:
        """Ids of the checkpoints that can draw at once, without being moved or loaded."""
        ...

    def coming(self) -> Mapping[str, float]:
        """Ids of models whose files are not where they can be read, with the seconds in which they would come."""
        ...

    def files(self, request: Request) -> str:
        """What the model files that a request names look like from outside: another text once one of them was replaced."""
        ...

    def annotator(self, key: str) -> AbstractContextManager[Annotator | None]:
        """The network of a preprocessor, by its key, for the length of the block."""
        ...

    def lent(self, request: Drawing) -> AbstractContextManager[DiffusionModel]:
        """Everything that the request names, joined to one model for the length of the block."""
        ...

    def vision(self, width: int) -> AbstractContextManager[Vision]:
        """An encoder of pictures whose summaries have so many numbers. Raises `UserError` when there is none."""
        ...

    def watched(self, request: Drawing | Wordless, watching: Watching, own: Own | None = None) -> Events:
        """The events of the first batch alone. `watching` sees the networks of a drawing. `own`: steps that are made of it already; without
        it, none.
        """
        ...

    def frames(self, request: Wordless, latents: Numbers, made_with: Mapping[str, str]) -> Generator[None, None, tuple[Image, ...]]:
        """The frames that kept latents (frames, channels, h, w) of a picture that moves become. Every yield is a place to stop.
        `made_with`: what its record says beside the request.
        """
        ...

    def batches(self, request: Request, progress: Progress | None = None, watching: Watching | None = None) -> Generator[Events]:
        """The events of one batch after another, from where the job stands. Closing those of a batch abandons it.

        `progress` is led on; whoever has it at the end of a batch can go on there in another call, and gets the same pictures.
        """
        ...


def coming(runner: Runner) -> Mapping[str, float]:
    """See `Runner.coming`; nothing where that fails, as for `at_hand`."""
    try:
        return runner.coming()
    except Exception:
        log.exception("what would have to be sent could not be told")
        return {}


def at_hand(runner: Runner) -> Collection[str]:
    """See `Runner.at_hand`; nothing where that fails: only whose turn may come a little earlier depends on it."""
    try:
        return runner.at_hand()
    except Exception:
        log.exception("what is in memory could not be told")
        return ()
