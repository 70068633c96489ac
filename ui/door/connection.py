"""Connections with deadlines: a head comes within seconds, a body and an answer move at a rate that a slow line still has.

uvicorn's protocol does the work; what is added is when it has lasted long enough. Looked at once a second, all connections together.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import cast

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from ui.door.connection_limits import ConnectionLimits
from ui.gradio_types import Keyword

TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nRetry-After: 10\r\nConnection: close\r\n\r\n"
    b"There are too many connections. Try again in a moment."
)


@dataclass(frozen=True)
class Deadlines:
    """Seconds, and bytes a second."""

    head: float = 10  # seconds from the first byte of a request, or from the connection, to the end of its head
    grace: float = 20  # seconds in which a body need not have come at the rate
    rate: float = 16_384  # bytes a second of a body, from its beginning on: 64 MB may take 68 minutes
    silence: float = 60  # seconds without a byte of a body
    unread: float = 20  # seconds in which a client must have read something of an answer
    read: float = 1_024  # bytes a second of an answer that must be read
    late: float = 5  # seconds for the rest of a body that is already answered


class Connection(H11Protocol):
    """A connection, as uvicorn makes it for each client, with a place among all."""

    def __init__(self, crowd: ConnectionLimits, deadlines: Deadlines, **given: Keyword) -> None:
        super().__init__(**given)
        self._crowd, self.deadlines = crowd, deadlines
        self.is_refused = False
        self._known: object = None  # the request that is being counted
        self._lasted = self._since_byte = self._stuck = 0.0
        self._came = self._mark = 0
        self.address = ""

    @property
    def worth(self) -> int | None:
        if self.conn.their_state is h11.IDLE:
            return 0
        if self.conn.their_state is h11.SEND_BODY:
            return 1 + self._came
        return 1 if self.unsent else None

    @property
    def unsent(self) -> int:
        """Bytes of answers that the client has not fetched yet."""
        return self.transport.get_write_buffer_size()

    def drop(self) -> None:
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        peer = transport.get_extra_info("peername")
        self.address = str(peer[0]) if peer else ""
        if self._crowd.enters(self):
            super().connection_made(transport)
            return
        self.is_refused = True
        transport.write(TOO_MANY)
        transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.is_refused:
            self._crowd.leaves(self)
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.is_refused:
            return
        before = self.cycle
        super().data_received(data)
        self._came = self._came + len(data) if self.cycle is before else 0  # of this request
        self._since_byte = 0.0

    def resume_writing(self) -> None:
        self._stuck = 0.0
        super().resume_writing()

    def elapse(self, seconds: float) -> None:
        """Time has passed; the connection is dropped when it has had enough."""
        if self._counted(seconds) or self._unread(seconds):
            self.drop()

    def _counted(self, seconds: float) -> bool:
        state = (self.cycle, self.conn.their_state)
        if state != self._known:
            self._known, self._lasted = state, 0.0
        if self.conn.their_state is h11.IDLE:
            return self._head_is_late(seconds)
        return self.conn.their_state is h11.SEND_BODY and self._body_is_late(seconds)

    def _head_is_late(self, seconds: float) -> bool:
        cycle = cast(RequestResponseCycle | None, self.cycle)  # uvicorn says that there always is one
        begun = cycle is None or bool(self.conn.trailing_data[0])  # between requests uvicorn counts, as long as nothing comes
        self._lasted += seconds if begun else 0.0
        return self._lasted > self.deadlines.head

    def _body_is_late(self, seconds: float) -> bool:
        if self.flow.read_paused:  # it is we who do not read
            return False
        self._lasted += seconds
        self._since_byte += seconds
        if self.cycle.response_complete:
            return self._lasted > self.deadlines.late
        behind = self._came < self.deadlines.rate * (self._lasted - self.deadlines.grace)
        return behind or self._since_byte > self.deadlines.silence

    def _unread(self, seconds: float) -> bool:
        """Whether what was written has not been fetched, or hardly, for the length of a period."""
        waits = self.unsent
        if not waits or not self._stuck:
            self._stuck, self._mark = (seconds, waits) if waits else (0.0, 0)
            return False
        self._stuck += seconds
        if self._stuck <= self.deadlines.unread:
            return False
        moved = self._mark - waits >= self.deadlines.read * self.deadlines.unread
        self._stuck, self._mark = seconds, waits
        return not moved
