"""What 10,000 comments on a picture cost: a look at the studio, the newest of what is said, one more of them. Against 60 comments."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path

from bench.paired import Row, Timed, compare, take_turns
from pipelines.gallery.comments import MOST, Writer
from pipelines.gallery.gallery import Gallery
from pipelines.gallery.person import Person
from pipelines.job_book.book import JobBook
from pipelines.requests.request import TextToImage

FEW, SPARE = 60, 2_000  # comments; room that is left for those that are written
ADA = Person("ada", owner=True)
ROW = "insert into comment (id, picture, user, name, text, created) values (?, ?, 'bob', 'Bob', ?, ?)"
BENCHED: Mapping[str, tuple[str, int]] = {
    "a look at the studio beside 10,000 comments / beside 60": ("look", 20),
    "the newest threads of 10,000 / of 60": ("read", 20),
    "a comment more among 8,000 / among 60": ("write", 20),
}


class Filled:
    """A book with one picture and so many comments on it, each a thread."""

    def __init__(self, folder: Path, comments: int, opened: ExitStack) -> None:
        folder.mkdir()
        self.book = JobBook(folder / "studio.db", folder)
        opened.callback(self.book.close)
        self.gallery = Gallery(self.book)
        opened.callback(self.gallery.close)
        self.book.submit(TextToImage(), ADA.user, owner=True)
        job = self.book.claim()
        assert job
        self.picture = self.book.add_picture(job, folder / "a.png", TextToImage(), (512, 512), "").id
        with self.book.file.transaction() as db:
            db.executemany(ROW, [(f"c{each}", self.picture, f"comment {each} " * 8, float(each)) for each in range(comments)])
        self.gallery.comments.add(self.picture, Writer(ADA), "newest")
        self._writers = count()

    def look(self) -> None:
        self.gallery.comments.version(self.picture, ADA)

    def read(self) -> None:
        self.gallery.comments.of(self.picture, ADA)

    def write(self) -> None:
        self.gallery.comments.add(self.picture, Writer(Person(f"w{next(self._writers) // 10}", owner=True)), "one more")


def measure(rounds: int) -> list[Row]:
    return [row for name, (does, times) in BENCHED.items() for row in _compared(name, does, times * rounds)]


def _compared(name: str, does: str, rounds: int) -> list[Row]:
    many = MOST - 1 - (SPARE if does == "write" else 0)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as opened:
        filled = {key: Filled(Path(folder) / key, size, opened) for key, size in (("few", FEW), ("many", many))}
        timed: dict[str, Timed] = {key: partial(_seconds, getattr(each, does)) for key, each in filled.items()}
        return [replace(row, name=name) for row in compare(take_turns(timed, rounds), "few", {"many": 1.2})]


def _seconds(run: Callable[[], None]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began
