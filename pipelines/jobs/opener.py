"""Opening a device: tried again and again until it is there or the studio closes."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from models.errors import UserError
from pipelines.jobs.backoff import Backoff
from pipelines.jobs.runner import Runner

log = logging.getLogger(__name__)

REOPENED = 5.0, 60.0  # seconds between tries
NOT_STARTED = "The studio could not start; the details are in the log."
NOT_NEXT = "This device could not be made ready; the details are in the log. It is tried again by itself."


class Opener:
    """For the thread of one hand; `again` for any."""

    def __init__(self, number: int, open_runner: Callable[[], Runner], closes: Callable[[], bool], machine: str = "") -> None:
        """`number`: of the device, from 0. `closes`: the studio does. `machine`: the computer where the device is, if that is another."""
        self._number, self.open_runner, self._closes, self._machine = number, open_runner, closes, machine
        self._again = threading.Event()

    def again(self) -> None:
        """What could not be opened may be there now, or the studio closes."""
        self._again.set()

    def opened(self, failed: Callable[[str], bool]) -> Runner | None:
        """None when the studio closes. `failed`: hears a sentence after each try that came to nothing, and answers whether that is news."""
        backoff = Backoff(*REOPENED)
        while not self._is_over():
            try:
                return self.open_runner()
            except Exception as error:  # noqa: BLE001  it is told and tried again
                if failed(self._sentence(error)):
                    self._log(error)
                self._again.wait(backoff.next())
        return None

    def _is_over(self) -> bool:
        self._again.clear()  # before the look: who closes says so first, and wakes then
        return self._closes()

    def _sentence(self, error: Exception) -> str:
        return str(error) if isinstance(error, UserError) else NOT_NEXT if self._number else NOT_STARTED

    def _log(self, error: Exception) -> None:
        if self._machine and isinstance(error, UserError):
            log.warning("%s", error)
        else:
            log.error("device %d could not be made ready; it is tried again", self._number + 1, exc_info=error)
