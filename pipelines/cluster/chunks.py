"""Bytes that go over in chunks, and are written and read as files are: what a chunk holds is nobody's business on the way."""

from __future__ import annotations

import io
import queue
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer


class Chunks(io.RawIOBase):
    """What was put is read, in its order. Safe to fill from any thread."""

    def __init__(self) -> None:
        super().__init__()
        self._come: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._rest = memoryview(b"")

    def put(self, chunk: bytes) -> None:
        """An empty one is the end."""
        self._come.put(chunk)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        """Waits until there is something; 0 at the end."""
        room = memoryview(buffer).cast("B")
        if not self._rest:
            self._rest = memoryview(self._come.get())
        taken = self._rest[: len(room)]
        room[: len(taken)] = taken
        self._rest = self._rest[len(taken) :]
        if not taken:
            self._come.put(b"")  # it stays the end
        return len(taken)


class Put(io.RawIOBase):
    """What is written is given to somebody, chunk by chunk."""

    def __init__(self, give: Callable[[bytes], object]) -> None:
        super().__init__()
        self._give = give

    def writable(self) -> bool:
        return True

    def write(self, buffer: ReadableBuffer) -> int:
        chunk = bytes(buffer)
        self._give(chunk)
        return len(chunk)


def reading(chunks: Chunks) -> io.BufferedReader:
    return io.BufferedReader(chunks)


def writing(give: Callable[[bytes], object]) -> io.BufferedWriter:
    """What is written at once and flushed, as a frame is, is one chunk."""
    return io.BufferedWriter(Put(give))
