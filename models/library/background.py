"""A background thread for work that takes seconds, one after another, so that whoever asks may stop waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, TypeVar

Result = TypeVar("Result")


class Background:
    """Safe to call from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: dict[Hashable, Future[Any]] = {}  # Any: of each work its own result
        self._waiting: SimpleQueue[tuple[Hashable, Callable[[], object]]] = SimpleQueue()
        self._thread: threading.Thread | None = None

    def within(self, key: Hashable, work: Callable[[], Result], seconds: float) -> Result:
        """What the work gives, or raises. Raises `TimeoutError` when it is not done by then; it goes on, and asking again joins it."""
        return self._begun(key, work).result(max(seconds, 0))

    def _begun(self, key: Hashable, work: Callable[[], Result]) -> Future[Result]:
        with self._lock:
            if key not in self._running:
                self._running[key] = Future()
                self._waiting.put((key, work))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="background", daemon=True)
                self._thread.start()
            return self._running[key]

    def _work(self) -> None:
        while True:
            key, work = self._waiting.get()
            try:
                result, error = work(), None
            except Exception as raised:  # noqa: BLE001 - it is raised where the result is asked for
                result, error = None, raised
            with self._lock:
                future = self._running.pop(key)
            if error:
                future.set_exception(error)
            else:
                future.set_result(result)
