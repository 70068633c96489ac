"""The connection to a far device: what is asked, and what is answered or said unasked, by who may be anywhere (`spoken.py`)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from itertools import count
from typing import IO

from models.errors import UserError
from pipelines.jobs import frames, spoken

log = logging.getLogger(__name__)

PATIENCE = 900.0  # seconds in which every answer comes: longer than a step, or reading a model, takes anywhere


class Gone(Exception):
    """Nobody is there any more."""


class Lost(RuntimeError):
    """The device answers no more; why, as a sentence for people."""


class Line:
    """Both ends of what is said, on the side that asks. Safe to use from any thread."""

    def __init__(self, asks: IO[bytes], answers: IO[bytes], heard: Callable[[spoken.Value], None], ended: Callable[[], None]) -> None:
        """`heard`: what is said unasked; `ended`: nothing more is said. Both in a thread of the line's own."""
        self._asks, self._answers, self._heard, self._ended = asks, answers, heard, ended
        self._lock, self._numbers = threading.Lock(), count(1)
        self._waiting: dict[int, Future[spoken.Value]] = {}
        self._is_over = False
        threading.Thread(target=self._listen, name="far", daemon=True).start()

    def ask(self, value: spoken.Value, patience: float = PATIENCE) -> spoken.Value:
        """Raises as `answer_of`."""
        return answer_of(self.put(value), patience)

    def put(self, value: spoken.Value) -> Future[spoken.Value]:
        """The answer comes later. Raises `Gone`."""
        future: Future[spoken.Value] = Future()
        with self._lock:
            if self._is_over:
                raise Gone
            number = next(self._numbers)
            self._waiting[number] = future
            try:
                self._asks.write(frames.frame(number, value))
                self._asks.flush()
            except (OSError, ValueError) as error:
                raise Gone from error
        return future

    def _listen(self) -> None:
        with suppress(EOFError, OSError, ValueError):
            try:
                while True:
                    number, value = frames.read_frame(self._answers)
                    if number:
                        self._waiting.pop(number).set_result(value)
                    else:
                        self._heard(value)
            except (UserError, KeyError):
                log.exception("a device's process said what nobody understands")
        with self._lock:
            self._is_over = True
            left, self._waiting = self._waiting, {}
        self._ended()
        for future in left.values():
            future.set_exception(Gone())


def answer_of(asked: Future[spoken.Value], patience: float) -> spoken.Value:
    """Raises `Gone`, `TimeoutError`; `UserError` or `RuntimeError` where that is the answer."""
    answer = asked.result(patience)
    if isinstance(answer, spoken.Refused):
        raise UserError(answer.sentence)
    if isinstance(answer, spoken.Broken):
        raise RuntimeError(answer.words)
    return answer
