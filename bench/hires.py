"""A drawing with hires fix against its two passes drawn by themselves, on the starter model: what it costs that one follows the other."""

from __future__ import annotations

import time
from dataclasses import replace

from bench.engine import USER, starter_request, studio
from bench.paired import Row, Timed, compare, take_turns
from pipelines.requests.request import Request, SecondPass, TextToImage
from pipelines.studio import Studio

LIMIT = 1.03


def measure(rounds: int) -> list[Row]:
    with studio() as (atelier, _):
        first = starter_request(atelier.checkpoints()[0])
        asked = replace(first, hires=True, hires_steps=10)
        drawn(atelier, first, 1)
        record = atelier.recent(USER)[0]
        second = SecondPass(prompt=first.prompt, seed=1, steps=10, image=atelier.uploads.adopt(record, USER).id)
        variants: dict[str, Timed] = {
            "its two passes": lambda: drawn(atelier, first, 1) + drawn(atelier, matched(second, first), 1),
            "drawing with hires fix": lambda: drawn(atelier, asked, 2),
        }
        times = take_turns(variants, rounds)
    return compare(times, "its two passes", {"drawing with hires fix": LIMIT})


def matched(second: SecondPass, first: TextToImage) -> SecondPass:
    """With what the first pass was drawn with."""
    return replace(second, checkpoint=first.checkpoint, guidance_scale=first.guidance_scale, sampler=first.sampler)


def drawn(atelier: Studio, request: Request, count: int) -> float:
    """Seconds until so many pictures are in the book and nothing is drawn any more."""
    before, start = len(atelier.recent(USER, 10_000)), time.perf_counter()
    atelier.submit(request, USER)
    while len(atelier.recent(USER, 10_000)) < before + count or atelier.current(USER):
        time.sleep(0.002)
    return time.perf_counter() - start
