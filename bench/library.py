"""The library with 100,000 pictures: what a search answers in, what a window costs, and what booking a picture costs against one with 100.

Rows that are ratios have the base in their name. A search and a window are held against the seconds that they may take, so 1 is the most.
"""

from __future__ import annotations

import json
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from bench.paired import Row, Timed, compare, take_turns
from pipelines.gallery.gallery import Gallery, asked_for
from pipelines.gallery.person import Person
from pipelines.job_book.book import JobBook
from pipelines.job_book.schema import APPLICATION, MIGRATIONS
from pipelines.job_book.shelf import create
from pipelines.requests.request import TextToImage, describe

PICTURES, FEW = 100_000, 100
ADA = Person("ada", owner=True)
PERCENTILE = 0.95
MOST_SECONDS = 0.1  # of a search, at the 95th percentile
WINDOW_SECONDS = 0.02  # of 100 pictures at any place
BEGAN, APART = 1.76e9, 300.0  # seconds since 1970; between two pictures
FIRST = ("red", "green", "blue", "golden", "pale", "dark", "old", "small", "huge", "quiet", "broken", "flying", "wooden", "misty", "snowy")
THING = (
    "house",
    "tower",
    "ship",
    "cat",
    "fox",
    "dragon",
    "tree",
    "garden",
    "bridge",
    "robot",
    "owl",
    "harbour",
    "forest",
    "lantern",
    "train",
)
WHERE = ("at night", "in the snow", "by the sea", "under stars", "in fog", "at dawn", "on a hill", "in autumn", "in the rain")
STYLE = (
    "highly detailed", "oil painting", "watercolour", "photograph", "cinematic light", "sharp focus", "35mm film", "ukiyo-e",
    "concept art", "art nouveau", "soft light", "masterpiece", "best quality", "depth of field", "pastel colours",
)  # fmt: skip
SAMPLERS = ("DPM++ 2M", "Euler", "Euler a", "DDIM", "Heun")
SIZES = ((512, 512), (512, 768), (768, 512), (1024, 1024))
MODELS = tuple((f"{number:032x}", name) for number, name in enumerate(("DreamShaper 8", "Realistic Vision", "starter", "Deliberate v2")))


def measure(rounds: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        moved = migration(folder / "many", PICTURES)
        migration(folder / "few", FEW)
        many, few = (JobBook(folder / each / "studio.db", folder / each) for each in ("many", "few"))
        gallery = Gallery(many)
        try:
            searched = [seconds(partial(search, gallery, many, query)) for query in searches(40 * rounds)]
            far = [seconds(partial(window, gallery, random.randrange(PICTURES))) for _ in range(20 * rounds)]
            booked = take_turns({"few": booking(few), "many": booking(many)}, 40 * rounds)
        finally:
            gallery.close()
            many.close()
            few.close()
    print(f"   taking a book of {PICTURES:,} pictures over: {moved:.1f} s")
    return [
        held("a search of two words and two filters, 95th percentile / 0.1 s", searched, MOST_SECONDS),
        held("a window of 100 pictures anywhere, 95th percentile / 0.02 s", far, WINDOW_SECONDS),
        *[replace(row, name="booking a picture among 100,000 / among 100") for row in compare(booked, "few", {"many": 1.2})],
    ]


def migration(folder: Path, count: int) -> float:
    """A book as the version before made it, filled directly, and then taken over. Returns the seconds that that took."""
    folder.mkdir()
    before = MIGRATIONS.index(create)
    with closing(sqlite3.connect(folder / "studio.db", isolation_level=None)) as db:
        db.row_factory = sqlite3.Row
        for step in MIGRATIONS[:before]:
            step(db)
        db.execute("begin")
        columns = "id, job, user, path, width, height, seed, created, request"
        db.executemany(f"insert into picture ({columns}) values (?, ?, ?, ?, ?, ?, ?, ?, ?)", rows(count))
        db.execute("commit")
        db.execute(f"pragma user_version = {before}")
        db.execute(f"pragma application_id = {APPLICATION}")
    began = time.perf_counter()
    book = JobBook(folder / "studio.db", folder)
    taken = time.perf_counter() - began
    with book.file.transaction() as db:
        db.executemany("update model set name = ? where id = ?", [(name, each) for each, name in MODELS])
        db.execute("update shelf set rating = number % 6, favourite = number % 11 = 0")
    book.close()
    return taken


def rows(count: int) -> Iterator[tuple[object, ...]]:
    rng = random.Random(1)
    for number in range(count):
        width, height = rng.choice(SIZES)
        request = drawn(rng, number, width, height)
        text = json.dumps(describe(request))
        yield f"p{number}", f"j{number // 4}", ADA.user, f"day/{number}.png", width, height, number, BEGAN + APART * number, text


def drawn(rng: random.Random, seed: int, width: int, height: int) -> TextToImage:
    prompt = f"a {rng.choice(FIRST)} {rng.choice(THING)} {rng.choice(WHERE)}, {', '.join(rng.sample(STYLE, 5))}"
    return TextToImage(
        prompt=prompt, negative_prompt="blurry, bad hands, watermark", seed=seed, width=width, height=height,
        sampler=rng.choice(SAMPLERS), checkpoint=rng.choice(MODELS)[0], steps=rng.randint(10, 40),
    )  # fmt: skip


def searches(count: int) -> Iterator[str]:
    """Two words, common ones among them, and two filters."""
    rng = random.Random(2)
    filters: list[Callable[[], str]] = [
        lambda: f"model:{rng.choice(('dream', 'vision', 'starter'))}",
        lambda: f"rating:>={rng.randint(1, 5)}",
        lambda: f"sampler:{rng.choice(('euler', 'ddim', 'heun'))}",
        lambda: f"width:>={rng.choice((512, 768))}",
        lambda: f"date:2025-1{rng.randint(0, 2)}..2026-0{rng.randint(1, 9)}",
        lambda: "is:favourite",
    ]
    for _ in range(count):
        words = rng.sample([*FIRST, *THING, "a", "detailed", "light", "night", "masterpiece"], 2)
        yield " ".join([*words, *(each() for each in rng.sample(filters, 2))])


def search(gallery: Gallery, book: JobBook, query: str) -> None:
    """The list anew, the headings and the first pictures."""
    book.shelf_changed()
    asked = asked_for(query, "day")
    gallery.headings(ADA, asked)
    gallery.window(ADA, asked, 0, 100)


def window(gallery: Gallery, offset: int) -> None:
    gallery.window(ADA, asked_for("", "day"), offset, 100)


def booking(book: JobBook) -> Timed:
    rng = random.Random(3)
    book.submit(TextToImage(), ADA.user, owner=True)
    job = book.claim()
    assert job

    def book_one() -> float:
        request, number = drawn(rng, 1, 512, 512), rng.getrandbits(60)
        return seconds(lambda: book.add_picture(job, book.folder / f"{number}.png", request, (512, 512), "DreamShaper 8"))

    return book_one


def seconds(run: Callable[[], object]) -> float:
    began = time.perf_counter()
    run()
    return time.perf_counter() - began


def held(name: str, times: list[float], most: float) -> Row:
    """One figure: the 95th percentile as a share of what it may be. The seconds are the median."""
    ordered = sorted(times)
    return Row(name, [ordered[int(len(ordered) * PERCENTILE)] / most], 1.0, statistics.median(times))
