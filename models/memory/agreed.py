"""Settings of which torch has one for the whole process, where several threads draw at once: who wants the same draws beside each other,
who wants another one waits until these have ended.
"""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Agreed(Generic[Value]):
    """Safe to use from any thread. Who has entered may enter again for the same value without waiting, and for another one when alone."""

    def __init__(self, read: Callable[[], Value], put: Callable[[Value], object]) -> None:
        """`read`: the value as it stands; `put`: makes it another one."""
        self._read, self._put = read, put
        self._changed = threading.Condition()
        self._inside: defaultdict[int, list[Value]] = defaultdict(list)  # what each thread has entered for
        self._wanted: Counter[Value] = Counter()  # by those who wait
        self._usual = self._now = read()

    def enter(self, value: Value | None, timeout: float | None = None) -> bool:
        """Waits until the value holds, at most `timeout` seconds, and says whether it does, until `leave`. None: the usual one."""
        with self._changed:
            if not self._inside:
                self._usual = self._now = self._read()
            wanted = self._usual if value is None else value
            self._wanted[wanted] += 1
            may = self._changed.wait_for(lambda: self._may(wanted), timeout)
            self._wanted[wanted] -= 1
            if may:
                self._inside[threading.get_ident()].append(wanted)
                self._hold(wanted)
            self._changed.notify_all()
            return may

    def leave(self) -> None:
        """Once for each time that this thread has entered. With the last one of all the usual value is back."""
        with self._changed:
            own = self._inside[threading.get_ident()]
            own.pop()
            if not own:
                del self._inside[threading.get_ident()]
            if own or not self._inside:
                self._hold(own[-1] if own else self._usual)
            self._changed.notify_all()

    def _may(self, wanted: Value) -> bool:
        """Whoever waits for another value is not passed."""
        own = threading.get_ident()
        if not self._inside.keys() - {own}:
            return True
        holds = all(value == wanted for values in self._inside.values() for value in values)
        others_wait = any(count for value, count in self._wanted.items() if value != wanted)
        return holds and (own in self._inside or not others_wait)

    def _hold(self, value: Value) -> None:
        if value != self._now:
            self._put(value)
            self._now = value
