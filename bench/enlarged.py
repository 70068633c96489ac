"""A newcomer's first picture, from the press to its end, against the same picture as it was drawn: what it costs to enlarge it at once."""

from __future__ import annotations

from dataclasses import replace

from bench.engine import starter_request, studio
from bench.hires import drawn
from bench.paired import Row, Timed, compare, take_turns
from models.library.checkpoint import STARTER_UPSCALER

LIMIT = 1.5


def measure(rounds: int) -> list[Row]:
    with studio() as (atelier, _):
        plain = starter_request(atelier.checkpoints()[0])
        enlarged = replace(plain, enlarged_by=STARTER_UPSCALER)
        variants: dict[str, Timed] = {
            "as it is drawn": lambda: drawn(atelier, plain, 1),
            "enlarged by its own upscaler": lambda: drawn(atelier, enlarged, 1),
        }
        times = take_turns(variants, rounds)
    return compare(times, "as it is drawn", {"enlarged by its own upscaler": LIMIT})
