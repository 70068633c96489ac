"""Log lines that strangers cannot fill the log with: of those alike only some a minute are written, and none holds control characters."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable

CONTROLS = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
SORTS = 500  # sorts of lines that are counted at the same time


class Sparing(logging.Filter):
    """At most `most` lines of one sort in `seconds`; a sort is a logger, a level and a text before values are put in."""

    def __init__(self, most: int = 20, seconds: float = 60, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._most, self._seconds, self._clock = most, seconds, clock
        self._seen: dict[tuple[str, int, str], tuple[float, int]] = {}
        self._lock = threading.Lock()

    def filter(self, record: logging.LogRecord) -> bool:
        with self._lock:
            return self._counted(record)

    def _counted(self, record: logging.LogRecord) -> bool:
        sort, now = (record.name, record.levelno, str(record.msg)[:200]), self._clock()
        began, count = self._seen.get(sort, (now, 0))
        if now - began >= self._seconds:
            if count > self._most:
                record.msg, record.args = f"{record.getMessage()} ({count - self._most} more like it were left out)", ()
            began, count = now, 0
        if len(self._seen) >= SORTS:
            self._seen.clear()
        self._seen[sort] = (began, count + 1)
        return count < self._most


class OneLine(logging.Formatter):
    """What a message brings in from outside stays on its line; a traceback below it has its own."""

    def formatMessage(self, record: logging.LogRecord) -> str:
        return one_line(super().formatMessage(record))


def one_line(text: str) -> str:
    """The text with control characters, line breaks and marks that turn its direction shown as what they are."""
    return CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def open_log(level: int = logging.INFO) -> None:
    """Sends everything that is logged to the terminal, line by line and sparingly."""
    handler = logging.StreamHandler()
    handler.setFormatter(OneLine("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    handler.addFilter(Sparing())
    logging.basicConfig(level=level, handlers=[handler])
