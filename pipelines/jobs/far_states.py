"""States after the steps of a far device: said unasked as long as somebody takes them, as each question takes its time."""

from __future__ import annotations

import threading
from collections import OrderedDict

from pipelines.jobs import spoken

HELD = 16  # that wait to be taken; older ones can be asked for again
FEW = 8  # steps in a row that nobody took: the next ones are not said unasked


class FarStates:
    """Of one device. Safe to use from any thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._held: OrderedDict[int, spoken.Numbers] = OrderedDict()
        self._last = 0  # step of which something was said unasked; they come in their order
        self._made, self._taken = 0, -FEW  # steps, by their numbers
        self._is_over = False

    def is_wanted(self) -> bool:
        """Whether somebody still takes them."""
        return self._made - self._taken < FEW

    def made(self, step: int) -> None:
        """By its number."""
        self._made = step

    def put(self, said: spoken.Numbers | spoken.Unsaid) -> None:
        with self._changed:
            self._last = said.step
            if isinstance(said, spoken.Numbers):
                self._held[said.step] = said
            if len(self._held) > HELD:
                self._held.popitem(last=False)
            self._changed.notify_all()

    def take(self, step: int, comes: bool, patience: float) -> spoken.Numbers | None:
        """`comes`: it is said unasked, and waited for. None: it has to be asked for. Raises `TimeoutError` after `patience` seconds."""
        with self._changed:
            self._taken = max(self._taken, step)
            if comes and not self._changed.wait_for(lambda: self._is_over or step <= self._last, patience):
                raise TimeoutError
            return self._held.pop(step, None)

    def over(self) -> None:
        """Nothing more is said."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()
