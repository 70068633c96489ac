"""Rescans: a piece of work asked for again and again is done by one thread, and those who ask meanwhile share the next turn."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)


class Rescans:
    """The thread lives only while something is asked for. Safe to call from any thread."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._news = threading.Condition()
        self._asked = 0
        self._done = 0
        self._running = False
        self._begun = 0.0  # when the pass that is running or ran last began, on the clock that only goes forward
        self.ended = 0  # how many have

    @property
    def busy(self) -> bool:
        return self._done < self._asked

    @property
    def age(self) -> float:
        """Seconds since the last pass began; without end before the first."""
        return time.monotonic() - self._begun if self._begun else float("inf")

    def long(self, seconds: float) -> bool:
        """Whether a pass has been going on for longer than this, so that waiting for the next is not worth while."""
        return self._running and self.age > seconds

    def ask(self) -> int:
        """A ticket for a pass that begins after now."""
        with self._news:
            self._asked += 1
            if not self._running:
                self._running, self._begun = True, time.monotonic()
                threading.Thread(target=self._run, name="library", daemon=True).start()
            return self._asked

    def ask_or_join_the_first(self) -> int:
        """A ticket for a pass that begins after now, or for the very first one while that goes on."""
        return 1 if self._running and not self.ended else self.ask()

    def wait(self, ticket: int, seconds: float | None) -> bool:
        """Whether that pass has ended within the time; None waits for it."""
        with self._news:
            return self._news.wait_for(lambda: self._done >= ticket, seconds)

    def _run(self) -> None:
        while (ticket := self._next()) is not None:
            try:
                self._work()
            except Exception:
                log.exception("looking through the folders of models failed")
            with self._news:
                self._done = ticket
                self.ended += 1
                self._news.notify_all()

    def _next(self) -> int | None:
        with self._news:
            self._running = self._done < self._asked
            self._begun = time.monotonic() if self._running else self._begun
            return self._asked if self._running else None
