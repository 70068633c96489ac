"""Time limits for a disk that may never answer: the work runs in a thread of its own, and who waits for it gives up after a while."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

log = logging.getLogger(__name__)

Item = TypeVar("Item")


class Silent(Exception):
    """Nothing came for too long."""


class TimeLimit:
    """A system call on a dead mount cannot be interrupted, so its thread is left behind, at most one for each thing that is waited for."""

    def __init__(self, seconds: float) -> None:
        """`seconds` without news, after which a piece of work is left alone."""
        self._seconds = seconds
        self._left: dict[Any, threading.Thread] = {}

    def hangs(self, name: Any) -> bool:
        """Whether the work of this name is still waited for in vain."""
        return name in self._left and self._left[name].is_alive()

    def __call__(self, name: Any, work: Callable[[], Iterable[Item]]) -> Iterator[Item]:
        """What `work` yields, as it comes. Raises `Silent`, at once when the same work has hung before and still does."""
        if self.hangs(name):
            raise Silent
        self._left.pop(name, None)
        news: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        thread = threading.Thread(target=_report, args=(work, news), name="library", daemon=True)
        thread.start()
        while True:
            try:
                what, item = news.get(timeout=self._seconds)
            except queue.Empty:
                self._left[name] = thread
                raise Silent from None
            if what == "done":
                return
            if what == "failed":
                raise item
            yield item


def _report(work: Callable[[], Iterable[Any]], news: queue.SimpleQueue[tuple[str, Any]]) -> None:
    try:
        for item in work():
            news.put(("item", item))
        news.put(("done", None))
    except OSError as error:
        news.put(("failed", error))
    except Exception as error:
        log.exception("work on a disk failed")
        news.put(("failed", error))
