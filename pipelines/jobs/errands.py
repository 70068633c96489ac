"""Errands: short pieces of work with weights for somebody who waits for the answer: a preview, an estimate. Jobs go on meanwhile: the
worker does one errand between two of them.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Any, TypeVar

from models.errors import UserError
from models.memory.forecast import is_out_of_memory

if TYPE_CHECKING:
    from pipelines.jobs.runner import Runner

log = logging.getLogger(__name__)

MOST = 12  # errands that may wait, of everybody
LOOK = 0.5  # seconds between looks whether who asked is still there
NEWER = "Something newer that you asked for has taken the place of this."
CROWDED = "Many people wait for a preview at the moment. Try again in a minute."
NO_MEMORY = "There was not enough memory for this. Close other programs that use it, or take a smaller picture."
BUSY = "The preview waits for the picture that is being drawn; it comes when that is done. Try again then."

Answer = TypeVar("Answer")


def never() -> bool:
    """Who asked is there until the answer comes."""
    return False


class Errands:
    """One may wait for each person, and a newer one takes its place; who waits longest is next. Safe to use from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # Any: of each piece of work its own answer.
        self._waiting: dict[str, tuple[Callable[[Runner], Any], Future[Any]]] = {}
        self._refusal = ""

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(self, person: str, work: Callable[[Runner], Answer]) -> Future[Answer]:
        """`work` is given the runner, in the worker's thread. Cancel the future when nobody wants the answer any more.

        Raises `UserError` when too many wait already, or nobody is there to do it.
        """
        future: Future[Answer] = Future()
        with self._lock:
            self._waiting = {name: entry for name, entry in self._waiting.items() if not entry[1].cancelled()}
            if self._refusal or (len(self._waiting) >= MOST and person not in self._waiting):
                raise UserError(self._refusal or CROWDED)
            older = self._waiting.get(person)
            self._waiting[person] = (work, future)
        if older:
            _release(older[1], NEWER)
        return future

    def run_one(self, runner: Runner) -> bool:
        """Does the errand that has waited longest, in the thread that calls. False when none waits."""
        with self._lock:
            person = next(iter(self._waiting), None)
            entry = self._waiting.pop(person) if person is not None else None
        if entry is None:
            return False
        work, future = entry
        if future.set_running_or_notify_cancel():
            _do(work, runner, future)
        return True

    def refuse(self, sentence: str) -> None:
        """Nobody does errands from now on, and those that wait are released with the sentence; "" takes that back, and they wait on."""
        with self._lock:
            self._refusal = sentence
            released = list(self._waiting.values()) if sentence else []
            if sentence:
                self._waiting = {}
        for _, future in released:
            _release(future, sentence)


def answer(future: Future[Answer], gone: Callable[[], bool], longest: float) -> Answer:
    """Waits for the answer, at most `longest` seconds, and only while who asked is there. Raises `UserError`."""
    end = time.monotonic() + longest
    while not wait([future], LOOK).done:
        if (time.monotonic() > end or gone()) and future.cancel():
            raise UserError(BUSY)
    return future.result()


def _do(work: Callable[[Runner], Answer], runner: Runner, future: Future[Answer]) -> None:
    try:
        future.set_result(work(runner))
    except UserError as error:
        future.set_exception(error)
    except Exception as error:
        log.exception("an errand between jobs failed")
        future.set_exception(UserError(NO_MEMORY) if is_out_of_memory(error) else error)


def _release(future: Future[Answer], sentence: str) -> None:
    if future.set_running_or_notify_cancel():
        future.set_exception(UserError(sentence))
