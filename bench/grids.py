"""A grid against the same pictures as jobs one by one, on the starter model: over guidance and steps, which share nothing, and over words
that change half way, which share what comes before.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from bench.engine import USER, starter_request
from bench.paired import Row, compare, take_turns
from bench.steps import studio
from pipelines.gallery.person import Person
from pipelines.grids.axes import offers
from pipelines.grids.cells import Grid, read_axes
from pipelines.requests.request import Drawing
from pipelines.studio import Studio

ME = Person(USER, owner=True)
SIDE, STEPS, MOST_ROUNDS = 64, 12, 5
Axes = Sequence[tuple[str, str]]
PLAIN: Axes = (("guidance_scale", "2-7"), ("steps", "4-9"))
COLOURS, THINGS = "red, green, blue, yellow, white, black", "house, ball, tree, car, boat, bird"
LATE: Axes = (("prompt~replace", COLOURS), ("negative_prompt", ", ".join(f"[:{each}:0.5]" for each in THINGS.split(", "))))


class NoNames:
    """No axis here names a file or a preset."""

    def offered(self, field: str, base: Drawing) -> Sequence[tuple[str, str]]:
        return ()

    def presets(self) -> Sequence[str]:
        return ()

    def preset(self, name: str, base: Drawing) -> Mapping[str, object]:
        return {}


def measure(rounds: int) -> list[Row]:
    with studio() as atelier:
        base = replace(starter_request(atelier.checkpoints()[0]), width=SIDE, height=SIDE, steps=STEPS)
        late = replace(base, prompt="a [ball:red ball:0.5] on grass")
        seeds = itertools.count(1000)
        times = take_turns(
            {
                "36 jobs": lambda: one_by_one(atelier, replace(base, seed=next(seeds)), PLAIN),
                "grid of 6 x 6": lambda: as_grid(atelier, replace(base, seed=next(seeds)), PLAIN),
                "36 jobs, words that change": lambda: one_by_one(atelier, replace(late, seed=next(seeds)), LATE),
                "grid of words that change": lambda: as_grid(atelier, replace(late, seed=next(seeds)), LATE),
            },
            min(rounds, MOST_ROUNDS),
        )
    rows = compare(times, "36 jobs", {"grid of 6 x 6": 1.0})
    return [*rows, *compare(times, "36 jobs, words that change", {"grid of words that change": 0.7})]


def as_grid(atelier: Studio, base: Drawing, axes: Axes) -> float:
    begin = time.perf_counter()
    grid = atelier.grids.begin(base, axes, ME)
    wait(lambda: atelier.grids.news(grid, ME)["state"] == "done")
    seconds = time.perf_counter() - begin
    assert atelier.grids.news(grid, ME)["drawn"] == 36
    return seconds


def one_by_one(atelier: Studio, base: Drawing, axes: Axes) -> float:
    """All of them in the queue at once."""
    names = NoNames()
    grid, known = Grid(base, read_axes(base, axes, names)), offers(base, names)
    begin = time.perf_counter()
    for place in grid.places:
        atelier.submit(grid.request(place, known), USER, True)
    wait(lambda: not atelier.book.queue.listing().jobs)
    return time.perf_counter() - begin


def wait(is_over: Callable[[], bool]) -> None:
    while not is_over():
        time.sleep(0.05)
