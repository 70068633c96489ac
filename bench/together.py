"""The steps of a job that 50 people at a shared board watch, against those of one that nobody watches; and after how long the 95th of a
hundred of them has heard of a picture that has come onto the board, against a second.

Each follows the board and the queue, as a page does: one question that waits for both as long as the studio lets it. What is told is taken
as bytes; to read it is the work of the browsers, which are not on this machine.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import threading
import time
from dataclasses import dataclass, field

import torch

from bench.engine import USER, job_seconds, starter_request, studio
from bench.paired import Row, Timed, compare, row, take_turns
from pipelines.gallery.person import Person
from pipelines.requests.request import TextToImage
from pipelines.services.seats import Guest
from pipelines.studio import Studio
from ui.routes.together import LONG_POLL

PEOPLE = 50
VERSION, PICTURES = re.compile(rb'"version": (\d+)'), re.compile(rb'"pictures": (\d+)')
ME = Person(USER, owner=True)


@dataclass
class Watched:
    """A board, and the moments at which people heard that its pictures are others."""

    atelier: Studio
    board: str
    heard: list[float] = field(default_factory=list[float])
    used: dict[int, list[float]] = field(default_factory=dict[int, list[float]])  # processor seconds of jobs, by how many watched

    def job(self, request: TextToImage, people: int) -> float:
        """Seconds of a job while so many people watch it."""
        loop, there = asyncio.new_event_loop(), threading.Semaphore(0)
        guests = [Guest(Person(f"guest {number}"), f"Guest {number}", "artist") for number in range(people)]
        watching = threading.Thread(target=loop.run_forever)
        watching.start()
        for guest in guests:
            for each in (self._board(guest, there), self._queue(guest)):
                asyncio.run_coroutine_threadsafe(each, loop)
        for _ in range(people):
            there.acquire()
        used = time.process_time()
        seconds = job_seconds(self.atelier, request)
        self.used.setdefault(people, []).append(time.process_time() - used)
        time.sleep(1.5)  # until the last one has heard of the picture
        asyncio.run_coroutine_threadsafe(_all_go(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        watching.join()
        loop.close()
        return seconds

    async def _board(self, guest: Guest, there: threading.Semaphore) -> None:
        told = await self.atelier.together.watch(self.board, guest, "page", -1, 0)
        there.release()
        while True:
            news = await self.atelier.together.watch(self.board, guest, "page", _number(VERSION, told), LONG_POLL)
            if _number(PICTURES, news) != _number(PICTURES, told):
                self.heard.append(time.time())
            told = news

    async def _queue(self, guest: Guest) -> None:
        after = -1
        while True:
            after = (await self.atelier.queue.watch(guest.person.user, False, after, LONG_POLL))["version"]

    def arrival(self, request: TextToImage) -> float:
        """Seconds from a picture's entry in the book until 95 of a hundred who watch have heard of it."""
        self.heard.clear()
        self.job(request, PEOPLE)
        came = self.atelier.recent(USER, 1, owner=True)[0].created
        assert len(self.heard) >= PEOPLE
        return statistics.quantiles([moment - came for moment in self.heard], n=20)[-1]


async def _all_go() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _number(pattern: re.Pattern[bytes], news: bytes) -> int:
    found = pattern.search(news)
    assert found
    return int(found[1])


def measure(rounds: int) -> list[Row]:
    with studio() as (atelier, _), torch.inference_mode():
        board = atelier.gallery.boards.create(ME, "Shared")
        atelier.gallery.boards.share(board, ME, shared=True)
        atelier.gallery.boards.draw_onto(board, ME, draws=True)
        request, watched = starter_request(atelier.checkpoints()[0]), Watched(atelier, board)
        variants: dict[str, Timed] = {
            "nobody watches the board": lambda: watched.job(request, 0),
            "50 people watch the board": lambda: watched.job(request, PEOPLE),
        }
        times = take_turns(variants, rounds)
        used = watched.used[PEOPLE][-rounds:], watched.used[0][-rounds:]
        arrivals = [watched.arrival(request) for _ in range(rounds)]
    rows = compare(times, "nobody watches the board", {"50 people watch the board": 1.03})
    rows.append(row("the same in processor time, which others disturb less", *used, 1.03))
    return [*rows, row("a picture has come: seconds until 95 % of 50 heard / 1", arrivals, [1.0] * rounds, 1.0)]
