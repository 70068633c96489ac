"""The Library tab with 100,000 pictures in Chromium: how even it scrolls, what it keeps, and when the page is at rest.

The first four rows are shares of what may be: 5 % of frames over 33 ms, and a heap of 60 MB after scrolling through all. Then the page at
rest with 100,000 pictures over that with 100, and a job of the starter beside the open library over the same job beside no page.
"""

from __future__ import annotations

import io
import os
import statistics
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, Route, sync_playwright

from bench.engine import HERE, job_seconds, starter_request
from bench.library import FEW, PICTURES, migration
from bench.paired import NotHere, Row, compare, take_turns
from models.library.catalog import Catalog
from packages.browsers import chromium_here
from pipelines.gallery.thumbs import SIDE, Thumbs
from pipelines.job_book.book import JobBook
from pipelines.job_book.rows import NOBODY
from pipelines.jobs.runner import Runner
from pipelines.runtime.runner import open_runner
from tests.support.one_chromium import SWITCHES
from tests.support.page_fixtures import INSIDE, House, free_port

MOST_LATE = 0.05  # of the frames
LATE = 33.4  # milliseconds
MOST_HEAP = 60e6  # bytes
SECONDS = 12  # of scrolling
PACES = (25, 60, 0)  # pixels of a frame; 0: through all
THUMBS = 16  # of which each picture has one
AT_REST = "() => window.inside?.page.forms.txt2img && /\\d+ \\/ \\d+/.test(document.querySelector('[data-part=figure]')?.textContent)"
# Scrolls as a hand does that drags through everything: each frame a piece further; returns the milliseconds between frames.
SCROLL = """(seconds) => new Promise((done) => {
  const list = document.querySelector(".gallery-scroll");
  const frames = [];
  const pieces = seconds * 60; // PACE: pixels of a frame; 0: through all of it in that time
  let last = performance.now();
  const step = (now) => {
    frames.push(now - last);
    last = now;
    if (frames.length > pieces) return done(frames.slice(1));
    list.scrollTop = PACE ? frames.length * PACE : (frames.length / pieces) * list.scrollHeight;
    requestAnimationFrame(step);
  };
  requestAnimationFrame(step);
})"""


def measure(rounds: int) -> list[Row]:
    chromium = chromium_here()
    if not chromium:
        raise NotHere("it needs Chromium; the variable CHROMIUM names one")
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=[*SWITCHES, "--enable-precise-memory-info", "--js-flags=--expose-gc"]
        )
        with house(Path(name) / "many", PICTURES) as many, house(Path(name) / "few", FEW) as few:
            ratios = [rest(browser, many) / rest(browser, few) for _ in range(min(rounds, 5))]
            slow, fast, through, heap = scrolled(browser, many)
        with house(Path(name) / "real", PICTURES, Real) as real:
            jobs = beside(browser, real, rounds)
        browser.close()
    return [
        Row("frames over 33 ms, two screens a second / 5 %", [slow / MOST_LATE], 1.0, SECONDS),
        Row("frames over 33 ms, five screens a second / 5 %", [fast / MOST_LATE], 1.0, SECONDS),
        Row("frames over 33 ms, through all 100,000 / 5 %", [through / MOST_LATE], 1.0, SECONDS),
        Row("heap after it / 60 MB", [heap / MOST_HEAP], 1.0, SECONDS),
        Row("page at rest with 100,000 pictures / with 100", ratios, 1.2, statistics.median(ratios)),
        *jobs,
    ]


class Real(House):
    """With the starter."""

    def catalog(self) -> Catalog:
        return Catalog(HERE / "models" / "starter")

    def _open_runner(self) -> Runner:
        assert self.studio
        return open_runner(self.catalog(), "cpu", self.studio.uploads.inputs)


def beside(browser: Browser, house: House, rounds: int) -> list[Row]:
    """A job beside the library, which lies open and still, and beside no page."""
    assert house.studio
    atelier, page = house.studio, window(browser, house)
    request = starter_request(atelier.checkpoints()[0])

    def alone() -> float:
        page.goto("about:blank")
        return job_seconds(atelier, request)

    def open_library() -> float:
        if not page.url.startswith(house.url):
            page.goto(house.url)
            page.wait_for_function(AT_REST)
            page.get_by_role("tab", name="Library", exact=True).click()
            page.wait_for_selector(".tile[data-picture]:visible")
            page.wait_for_timeout(3000)
        return job_seconds(atelier, request)

    times = take_turns({"a job beside no page": alone, "a job beside the open library": open_library}, rounds)
    page.context.close()
    return compare(times, "a job beside no page", {"a job beside the open library": 1.03})


@contextmanager
def house(folder: Path, count: int, kind: type[House] = House) -> Generator[House]:
    """A studio with so many pictures, which are the owner's."""
    folder.mkdir()
    made = kind(folder, free_port())
    migration(folder / "outputs", count)
    book = JobBook(folder / "outputs" / "studio.db", folder / "outputs")
    with book.file.transaction() as db:
        db.execute("update picture set user = ?", (NOBODY,))
        db.execute("update shelf set user = ?", (NOBODY,))
        ids = [str(row["id"]) for row in db.execute("select id from picture")]
    book.close()
    give_thumbs(folder / "outputs" / ".thumbs", ids)
    made.warm.set()
    made.open()
    yield made
    made.close()


def give_thumbs(folder: Path, ids: Sequence[str]) -> None:
    """Each picture has a small version, as if it had been seen before: one of a few, which are as large and as colourful as real ones."""
    thumbs, random = Thumbs(folder), np.random.default_rng(1)
    kept = folder / "kept"
    kept.mkdir(parents=True)
    for number in range(THUMBS):
        small = Image.fromarray(random.integers(0, 256, (24, 24, 3), np.uint8)).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
        small.save(kept / f"{number}.webp", quality=82, method=2)
    for number, picture_id in enumerate(ids):
        path = thumbs._path(picture_id)  # pyright: ignore[reportPrivateUsage]  # they are written faster than by one's asking for each
        path.parent.mkdir(exist_ok=True)
        os.link(kept / f"{number % THUMBS}.webp", path)


def window(browser: Browser, house: House) -> Page:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.add_init_script(INSIDE)
    page = context.new_page()
    small = dot()

    def answer(route: Route) -> None:
        route.fulfill(body=small, content_type="image/png")

    page.route("**/picture/*.png", answer)
    return page


def rest(browser: Browser, house: House) -> float:
    """Seconds until the page is at rest."""
    page = window(browser, house)
    began = time.perf_counter()
    page.goto(house.url)
    page.wait_for_function(AT_REST)
    taken = time.perf_counter() - began
    page.context.close()
    return taken


def scrolled(browser: Browser, house: House) -> tuple[float, float, float, float]:
    """The share of late frames at two paces of a hand, the second too quick to see pictures, and through everything; and the bytes of the
    heap afterwards.
    """
    page = window(browser, house)
    page.goto(house.url)
    page.wait_for_function(AT_REST)
    page.get_by_role("tab", name="Library", exact=True).click()
    page.wait_for_selector(".tile[data-picture]:visible")
    page.wait_for_timeout(1500)
    slow, fast, through = (late(page, pace) for pace in PACES)
    page.evaluate("() => gc()")
    heap = page.evaluate("() => performance.memory.usedJSHeapSize")
    tiles = page.locator(".gallery-space > *").count()
    print(
        f"   heap {heap / 1e6:.1f} MB, {tiles} squares and headings in the page; late frames "
        f"{100 * slow:.1f} %, {100 * fast:.1f} % and {100 * through:.1f} %"
    )
    page.context.close()
    return slow, fast, through, heap


def late(page: Page, pace: int) -> float:
    frames = page.evaluate(SCROLL.replace("PACE", str(pace)), SECONDS)
    print(f"   {len(frames)} frames, {statistics.mean(frames):.1f} ms each, the longest {max(frames):.0f} ms")
    return sum(each > LATE for each in frames) / len(frames)


def dot() -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (8, 8), (180, 90, 60)).save(written, "PNG")
    return written.getvalue()
