"""Shared boards live: who is there, what is being drawn for the board, and that pictures have come onto it.

What is new is the same for everybody at a board, so it is looked up and written down once, a few times a second at most, however many
watch and however quick the steps are. Only the newest preview is told, and it is made when this looks: who asks late gets that one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections.abc import Awaitable, Callable

from models.errors import UserError
from pipelines.gallery.boards import Boards
from pipelines.gallery.person import Person
from pipelines.job_book.book import JobBook
from pipelines.job_book.listing import Queued
from pipelines.jobs.progress import Bell, JobProgress
from pipelines.jobs.worker import Worker
from pipelines.people.people import People
from pipelines.requests.request import Drawing
from pipelines.services.answers import DrawnNow, TogetherNews
from pipelines.services.job_news import newer
from pipelines.services.queue import Queue
from pipelines.services.seats import ASKS_AGAIN, Guest, Seats

log = logging.getLogger(__name__)

PACE = 0.25  # seconds between two looks at least
FRAMES_A_SECOND = 50.0  # that are told of one board, to all who watch it together
SLOWEST = 2.0  # seconds between two previews at most
WAITING = 12  # jobs that wait and are told
KNOWN = 1_000  # answers to "who may see this board" that are remembered
GONE = "This board is not shared with you any more."


class NotShared(UserError):
    """There is no such board, as far as this person sees, or it is private."""


class Room:
    """What is known of one board as long as somebody has it open."""

    def __init__(self, board: str, clock: Callable[[], float]) -> None:
        self.board, self.seats, self.bell = board, Seats(clock), Bell()
        self.version = self.pictures = 0
        self.content: tuple[object, ...] = ()
        self.name = ""
        self.read = -1  # version of the shelf of which the content is
        self.frame_told = -SLOWEST
        self.behind = False  # there is a newer preview than was told
        self.looking = threading.Lock()
        self.told: TogetherNews | None = None
        self.written = b""

    @property
    def pace(self) -> float:
        """Seconds between two previews: the more people watch, the fewer each of them gets."""
        return min(SLOWEST, max(PACE, len(self.seats) / FRAMES_A_SECOND))


class Together:
    """Safe to call from any thread; `watch` from any event loop."""

    def __init__(
        self, book: JobBook, worker: Worker, queue: Queue, boards: Boards, people: People, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._book, self._worker, self._queue, self._boards, self._people = book, worker, queue, boards, people
        self._clock = clock
        self._rooms: dict[str, Room] = {}
        self._coming = threading.Lock()  # a room with somebody in it is not given up
        self._stir = Bell()  # rings when somebody comes, and when something has changed on the shelf
        self._pump: asyncio.Task[None] | None = None
        self._seen: dict[tuple[str, Person], tuple[int, str | None]] = {}
        book.on_shelf.append(self._stir.ring)

    async def watch(self, board: str, guest: Guest, page: str, after: int, timeout: float) -> bytes:
        """A `TogetherNews` as JSON, as soon as it is newer than version `after`, or after `timeout` seconds. Until then, and a moment
        longer, its person is at the board. Raises `NotShared`, and `BookError`.
        """
        await self._check(board, guest.person)
        with self._coming:
            room = self._rooms.setdefault(board, Room(board, self._clock))
            seat, changed = room.seats.sit(guest, page)
        closed = True
        try:
            if changed or not room.written:
                await asyncio.to_thread(self._look, room)
            self._keep_pumping()
            await newer(room.bell, lambda: room.version > after, timeout)
            closed = False
        finally:
            room.seats.leave(guest, page, closed)
            if closed:  # who is answered asks again; who does not is found gone when the pump looks next
                self._stir.ring()
        await self._check(board, guest.person)
        return b'{"you": %d, %s' % (seat, room.written)

    def look(self, board: str, guest: Guest, picture: str, follows: int, lets: bool) -> None:
        """What somebody who is at a board has open there, whom of the others they follow (a seat, or 0), and whether they let others follow
        them. A picture that is not on the board is not told. Raises `NotShared`, and `BookError`.
        """
        if self._boards.seen(board, guest.person) is None:
            raise NotShared(GONE)
        if room := self._rooms.get(board):
            room.seats.look(guest.person.user, picture if self._boards.holds(board, picture) else "", follows, lets)
            self._stir.ring()

    async def _check(self, board: str, person: Person) -> None:
        known = self._seen.get((board, person))
        version = self._book.shelf_version
        if known is None or known[0] != version:
            known = version, await asyncio.to_thread(self._boards.seen, board, person)
            if len(self._seen) >= KNOWN:
                self._seen.clear()
            self._seen[board, person] = known
        if known[1] is None:
            raise NotShared(GONE)

    # ------------------------------------------------------------------------------------------ looking

    def _keep_pumping(self) -> None:
        """One task looks for all, as long as anybody is at any board."""
        if self._pump is None or self._pump.done() or self._pump.get_loop().is_closed():
            self._pump = asyncio.get_running_loop().create_task(self._look_on())

    async def _look_on(self) -> None:
        while self._rooms:
            tickets = self._worker.bell.ticket(), self._stir.ticket()
            await asyncio.to_thread(self._look_round)
            await _first_of([ticket.wait() for ticket in tickets], self._until())
            await asyncio.sleep(PACE)

    def _until(self) -> float:
        """Seconds after which something may be new of which nobody tells: a preview that was kept back, somebody who asks no more."""
        ends = [0.0 if room.behind else room.seats.next_change() for room in tuple(self._rooms.values())]
        return min((end for end in ends if end is not None), default=ASKS_AGAIN)

    def _look_round(self) -> None:
        for room in tuple(self._rooms.values()):
            try:
                self._look(room)
            except UserError as error:  # the book cannot be read now
                log.warning("what is new at a board could not be told: %s", error)

    def _look(self, room: Room) -> None:
        """Whoever waits is told what has changed."""
        with self._coming:
            room.seats.settle()
            if not room.seats:
                self._rooms.pop(room.board, None)
                return
        with room.looking:
            self._write(room)

    def _write(self, room: Room) -> None:
        self._read(room)
        news: TogetherNews = {
            "you": 0,
            "version": room.version,
            "board": room.board,
            "name": room.name,
            "pictures": room.pictures,
            "here": room.seats.told(),
            "drawing": self._drawing(room),
        }
        if room.told == {**news, "version": room.version}:
            return
        news["version"] = self._worker.versions.next()
        room.told, room.written = news, json.dumps({name: value for name, value in news.items() if name != "you"}).encode()[1:]
        room.version = news["version"]
        room.bell.ring()

    def _read(self, room: Room) -> None:
        version = self._book.shelf_version
        if room.read == version:
            return
        room.name, content = self._boards.content(room.board)
        if content != room.content:
            room.content, room.pictures = content, version
        room.read = version

    def _drawing(self, room: Room) -> list[DrawnNow]:
        room.behind = False
        runs = [self._running(room, live) for live in self._worker.lives()]
        return [*runs, *(self._waiting(room, job) for job in self._queue.onto(room.board)[:WAITING])]

    def _running(self, room: Room, live: JobProgress) -> DrawnNow:
        job, request, step = live.job, live.job.request, live.step
        if job.board != room.board:
            return _nobodys(live)
        before = room.told["drawing"][0] if room.told and room.told["drawing"] else None
        tile: DrawnNow = {
            **self._tile(room, job.user, job.owner, live.drawn, request.picture_count),
            "state": "running",
            "step": step.index if step else 0,
            "steps": step.count if step else 0,
        }
        if isinstance(request, Drawing):
            tile["width"], tile["height"] = request.width, request.height
        return self._with_frame(room, live, tile, before)

    def _with_frame(self, room: Room, live: JobProgress, tile: DrawnNow, before: DrawnNow | None) -> DrawnNow:
        """A step is told with its preview, and not too often: until then what was told before stands."""
        same = before is not None and {**tile, "step": 0, "preview": ""} == {**before, "step": 0, "preview": ""}
        if before and same and self._clock() - room.frame_told < room.pace:
            room.behind = before["step"] != tile["step"]
            return before
        room.frame_told = self._clock()
        frame = live.recent[-1] if live.recent else None
        return {**tile, "preview": frame.url() if frame else ""}

    def _waiting(self, room: Room, job: Queued) -> DrawnNow:
        return self._tile(room, job.user, False, job.pictures, job.pictures_total)

    def _tile(self, room: Room, user: str, owner: bool, drawn: int, total: int) -> DrawnNow:
        member = None if owner else self._people.register.member_of(user)
        name, seat = member.name if member else "", room.seats.number_of(user)
        return {**_BLANK, "name": name, "seat": seat, "picture": drawn, "pictures_total": total}


_BLANK: DrawnNow = {
    "seat": 0, "name": "", "private": False, "state": "waiting", "width": 1, "height": 1, "step": 0, "steps": 0, "picture": 0,
    "pictures_total": 1, "preview": "",
}  # fmt: skip


def _nobodys(live: JobProgress) -> DrawnNow:
    """Of what goes elsewhere."""
    return {**_BLANK, "private": True, "state": "running", "picture": live.drawn, "pictures_total": live.job.request.picture_count}


async def _first_of(waits: list[Awaitable[object]], timeout: float) -> None:
    tasks = [asyncio.ensure_future(wait) for wait in waits]
    try:
        await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
