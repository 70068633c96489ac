"""Time limits for a disk that may never answer: the work runs in a thread of its own, and who waits for it gives up after a while."""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

log = logging.getLogger(__name__)

Item = TypeVar("Item")


class Silent(Exception):
    """Nothing came for too long."""


class TimeLimit:
    """A system call on a dead mount cannot be interrupted, so its thread is left behind, at most one for each thing that is waited for."""

    def __init__(self, seconds: float) -> None:
        """`seconds` without news, after which a piece of work is left alone."""
        self._seconds = seconds
        self._left: dict[Hashable, threading.Thread] = {}

    def hangs(self, name: Hashable) -> bool:
        """Whether the work of this name is still waited for in vain."""
        return name in self._left and self._left[name].is_alive()

    def __call__(self, name: Hashable, work: Callable[[], Iterable[Item]]) -> Iterator[Item]:
        """What `work` yields, as it comes. Raises `Silent`, at once when the same work has hung before and still does."""
        if self.hangs(name):
            raise Silent
        self._left.pop(name, None)
        news: queue.SimpleQueue[_Found[Item] | _Ended] = queue.SimpleQueue()
        thread = threading.Thread(target=_report, args=(work, news), name="library", daemon=True)
        thread.start()
        while True:
            try:
                heard = news.get(timeout=self._seconds)
            except queue.Empty:
                self._left[name] = thread
                raise Silent from None
            if isinstance(heard, _Found):
                yield heard.item
            elif heard.error:
                raise heard.error
            else:
                return


@dataclass(frozen=True, slots=True)
class _Found(Generic[Item]):
    item: Item


@dataclass(frozen=True, slots=True)
class _Ended:
    error: Exception | None = None


def _report(work: Callable[[], Iterable[Item]], news: queue.SimpleQueue[_Found[Item] | _Ended]) -> None:
    try:
        for item in work():
            news.put(_Found(item))
        news.put(_Ended())
    except OSError as error:
        news.put(_Ended(error))
    except Exception as error:
        log.exception("work on a disk failed")
        news.put(_Ended(error))
