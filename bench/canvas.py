"""The paint canvas in a real browser without a graphics card: a stroke of 15 points, and what Generate hands over.

The base is the time that 15 refreshes of the screen take, since the page is redrawn once after each point. Bytes and the seconds of
handing over are given for pictures of noise, which pack worst.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from bench.paired import NotHere, Row, row, take_turns
from packages.browsers import chromium_command, chromium_here
from tests.support.canvas_harness import Easel, Inputs, easel, noise, serving
from tests.support.one_chromium import SWITCHES
from tests.support.page_fixtures import free_port

SIDES = (512, 2048, 4096)
POINTS = 15
REFRESH = 1 / 60  # seconds
HANDED = "async () => { const start = performance.now(); await inside.page.canvases.inpaint.flush(); return performance.now() - start; }"


def measure(rounds: int) -> list[Row]:
    with chromium() as browser, serving(free_port()) as served:
        return [entry for side in SIDES for entry in of_side(side, browser, served.inputs, min(rounds, 5))]


def of_side(side: int, browser: Browser, inputs: Inputs, rounds: int) -> list[Row]:
    with easel(inputs, browser, "inpaint", "mask") as canvas:
        canvas.show(noise(side, side))
        canvas.brush(max(8, side // 20))
        times = take_turns({"stroke": lambda: stroke(canvas, side)}, rounds)["stroke"]
        handed = canvas.js(HANDED) / 1000
        posted = canvas.js("inside.page.canvases.inpaint.posted") / 1000
    floor = [POINTS * REFRESH] * len(times)
    return [
        row(f"stroke of {POINTS} points at {side} / {POINTS} refreshes", times, floor, None),
        row(f"handing the mask over at {side} (the ratio is kB posted)", [posted], [1], None),
        row(f"handing the mask over at {side} (seconds)", [handed], [1], None),
    ]


def stroke(canvas: Easel, side: int) -> float:
    path = [(side * (0.1 + 0.8 * step / (POINTS - 1)), side * (0.3 + 0.4 * (step % 2))) for step in range(POINTS)]
    start = time.perf_counter()
    canvas.stroke(*path)
    canvas.js("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return time.perf_counter() - start


@contextmanager
def chromium() -> Iterator[Browser]:
    found = chromium_here()
    if not found:
        raise NotHere(f"it needs Chromium or Chrome. This installs one: {chromium_command(sys.platform)}")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, args=SWITCHES)
        yield started
        started.close()
