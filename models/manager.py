"""Lends models for the length of a `with` block, and forgets the idle. No torch, no locks: one thread a device calls it.

There is no current model: each request names its own. What is lent is never evicted; of the rest the least recently used goes
first when a new one would exceed the budget. A model larger than the budget is still loaded, alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    @property
    def bytes(self) -> int: ...


Key = TypeVar("Key")
Model = TypeVar("Model", bound=Sized)


@dataclass
class _Entry(Generic[Model]):
    model: Model
    leases: int = 0


class Manager(Generic[Key, Model]):
    def __init__(self, load: Callable[[Key], Model], budget: int) -> None:
        """`load` makes a model from its key; `budget` is in bytes, for everything held at once."""
        self._load = load
        self._budget = budget
        self._held: dict[Key, _Entry[Model]] = {}  # least recently used first

    @contextmanager
    def lease(self, key: Key) -> Iterator[Model]:
        """The model for the length of the block. Whatever `load` raises passes through, and leaves nothing behind."""
        entry = self._entry(key)
        entry.leases += 1
        try:
            yield entry.model
        finally:
            entry.leases -= 1
            self._evict()

    @property
    def held(self) -> dict[Key, int]:
        """What is in memory and its bytes, least recently used first."""
        return {key: entry.model.bytes for key, entry in self._held.items()}

    def _entry(self, key: Key) -> _Entry[Model]:
        entry = self._held.pop(key, None) or _Entry(self._load(key))
        self._held[key] = entry
        self._evict(keep=key)
        return entry

    def _evict(self, keep: Key | None = None) -> None:
        idle = [key for key, entry in self._held.items() if not entry.leases and key != keep]
        newest = next(reversed(self._held), None)
        while idle and sum(self.held.values()) > self._budget:
            key = idle.pop(0)
            if key != newest:
                del self._held[key]
