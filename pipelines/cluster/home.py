"""The home of a device on another computer: an actor of Ray's. What it is told and says is what a process beside the studio is and does."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path

from pipelines.cluster.chunks import Chunks, reading, writing
from pipelines.jobs.spoken import Setup
from pipelines.runtime.apart import end_soon, talk

HERE = Path(__file__).parents[2]
THREADS = "OMP_NUM_THREADS"
OWN_THREADS = "ATELIER_THREADS"  # what `THREADS` was where Ray was started
OWN_FOLDER, OWN_MODELS = "ATELIER_FOLDER", "ATELIER_MODELS"  # of this computer: what comes goes there; what people have put there
KEPT = HERE / "outputs" / ".for-others"


class Home:
    """Bytes in, bytes out. Ray calls `put` in one thread, in order, and `said` in another."""

    def __init__(self, alone: Callable[[], object] = end_soon) -> None:
        """`alone`: called when nobody asks any more."""
        self._asked = Chunks()
        self._said: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._alone = alone
        threading.Thread(target=self._talk, name="home", daemon=True).start()

    def put(self, chunk: bytes) -> None:
        """An empty one is the end."""
        self._asked.put(chunk)

    def said(self) -> Generator[bytes]:
        while chunk := self._said.get():
            yield chunk

    def _talk(self) -> None:
        try:
            with writing(self._said.put) as answers:
                talk(reading(self._asked), answers, self._alone, on_this_computer)
        finally:
            self._said.put(b"")


def on_this_computer(setup: Setup) -> Setup:
    """Where the studio shares no folders, those of this computer: what is told of them there has its last name here."""
    from pipelines.runtime.receiving import within

    if not setup.root:
        return setup
    root = within(Path(os.environ.get(OWN_FOLDER) or KEPT), Path(setup.root).name)
    folders = [str(HERE / "models" / "weights"), *filter(None, os.environ.get(OWN_MODELS, "").split(os.pathsep))]
    return replace(setup, starter=str(HERE / "models" / "starter"), models=folders, root=str(root))


def own_threads() -> None:
    """Ray takes an actor without cores of its own to want one thread; sums are added up by as many as in a process that it has not started.

    To be called before torch is imported.
    """
    os.environ.pop(THREADS, None)
    if own := os.environ.get(OWN_THREADS):
        os.environ[THREADS] = own
