"""Backoff: how long to wait before something that went wrong is tried again."""

from __future__ import annotations


class Backoff:
    """Seconds between tries: twice as long each time, up to a longest."""

    def __init__(self, first: float = 0.1, longest: float = 5.0) -> None:
        self._first, self._longest = first, longest
        self._pause = first

    def next(self) -> float:
        pause, self._pause = self._pause, min(self._longest, 2 * self._pause)
        return pause

    def none(self) -> None:
        """Nothing is wrong: there is no end to wait for, and the next pause is the first again."""
        self._pause = self._first
