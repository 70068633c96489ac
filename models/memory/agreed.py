"""Settings of which torch has one for the whole process, where several threads draw at once: who wants the same draws beside each other,
who wants another one waits until these have ended.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")


@dataclass(frozen=True, eq=False)
class _Stay(Generic[Value]):
    """Somebody's stay inside."""

    thread: threading.Thread
    value: Value


class Agreed(Generic[Value]):
    """Safe to use from any thread. Who has entered may enter again for the same value without waiting, and for another one when alone. A
    thread that has ended is inside no more, whether it has left or not.
    """

    def __init__(self, read: Callable[[], Value], put: Callable[[Value], object]) -> None:
        """`read`: the value as it stands; `put`: makes it another one."""
        self._read, self._put = read, put
        self._changed = threading.Condition()
        self._inside: list[_Stay[Value]] = []  # in the order in which they came
        self._wanted: Counter[Value] = Counter()  # by those who wait
        self._usual = self._now = read()

    def enter(self, value: Value | None, timeout: float | None = None) -> Callable[[], None] | None:
        """Waits until the value holds, at most `timeout` seconds. None for the value: the usual one.

        Returns: what ends the stay, once, from any thread: a generator may be closed by another one than has run it. None: it did not hold
        in time. With the last one of all the usual value is back.
        """
        with self._changed:
            if not self._inside:
                self._usual = self._now = self._read()
            wanted = self._usual if value is None else value
            self._wanted[wanted] += 1
            may = self._changed.wait_for(lambda: self._may(wanted), timeout)
            self._wanted[wanted] -= 1
            stay = _Stay(threading.current_thread(), wanted)
            if may:
                self._inside.append(stay)
                self._hold(wanted)
            self._changed.notify_all()
            return (lambda: self._leave(stay)) if may else None

    @contextmanager
    def held(self, value: Value | None) -> Generator[None]:
        """For the length of the block, which begins once the value holds."""
        leave = self.enter(value)
        try:
            yield
        finally:
            if leave:
                leave()

    def _leave(self, stay: _Stay[Value]) -> None:
        with self._changed:
            if stay not in self._inside:
                return
            self._inside.remove(stay)
            own = [other.value for other in self._inside if other.thread is stay.thread]
            if own or not self._inside:
                self._hold(own[-1] if own else self._usual)
            self._changed.notify_all()

    def _may(self, wanted: Value) -> bool:
        """Whoever waits for another value is not passed."""
        own = threading.current_thread()
        self._inside = [stay for stay in self._inside if stay.thread.is_alive()]
        if all(stay.thread is own for stay in self._inside):
            return True
        holds = all(stay.value == wanted for stay in self._inside)
        others_wait = any(count for value, count in self._wanted.items() if value != wanted)
        return holds and (any(stay.thread is own for stay in self._inside) or not others_wait)

    def _hold(self, value: Value) -> None:
        if value != self._now:
            self._put(value)
            self._now = value
