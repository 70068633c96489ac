"""The steps of a job that 50 people at a shared board watch, against those of one that nobody watches; and after how long the 95th of a
hundred of them has heard of a picture that has come onto the board, against a second.

Each follows the board and the queue, as a page does, and takes what is told as bytes.
"""

from __future__ import annotations

import asyncio
import json
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

PEOPLE = 50
ME = Person(USER, owner=True)


@dataclass
class Watched:
    """A board, and the moments at which people heard that its pictures are others."""

    atelier: Studio
    board: str
    heard: list[float] = field(default_factory=list[float])

    def job(self, request: TextToImage, people: int) -> float:
        """Seconds of a job while so many people watch it."""
        stop, there = threading.Event(), threading.Semaphore(0)

        async def all_of_them() -> None:
            guests = [Guest(Person(f"guest {number}"), f"Guest {number}", "artist") for number in range(people)]
            await asyncio.gather(*(each for guest in guests for each in (self._board(guest, stop, there), self._queue(guest, stop))))

        watching = threading.Thread(target=lambda: asyncio.run(all_of_them()))
        watching.start()
        for _ in range(people):
            there.acquire()
        seconds = job_seconds(self.atelier, request)
        time.sleep(1.5)  # until the last one has heard of the picture
        stop.set()
        watching.join()
        return seconds

    async def _board(self, guest: Guest, stop: threading.Event, there: threading.Semaphore) -> None:
        told = json.loads(await self.atelier.together.watch(self.board, guest, "page", -1, 0))
        there.release()
        while not stop.is_set():
            news = json.loads(await self.atelier.together.watch(self.board, guest, "page", told["version"], 0.5))
            if news["pictures"] != told["pictures"]:
                self.heard.append(time.time())
            told = news

    async def _queue(self, guest: Guest, stop: threading.Event) -> None:
        after = -1
        while not stop.is_set():
            after = (await self.atelier.queue.watch(guest.person.user, False, after, 0.5))["version"]

    def arrival(self, request: TextToImage) -> float:
        """Seconds from a picture's entry in the book until 95 of a hundred who watch have heard of it."""
        self.heard.clear()
        self.job(request, PEOPLE)
        came = self.atelier.recent(USER, 1, owner=True)[0].created
        assert len(self.heard) >= PEOPLE
        return statistics.quantiles([moment - came for moment in self.heard], n=20)[-1]


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
        arrivals = [watched.arrival(request) for _ in range(rounds)]
    rows = compare(times, "nobody watches the board", {"50 people watch the board": 1.03})
    return [*rows, row("a picture has come: seconds until 95 % of 50 heard / 1", arrivals, [1.0] * rounds, 1.0)]
