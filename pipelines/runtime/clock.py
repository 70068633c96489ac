"""The clock: how long a picture was drawn, for its record. Nothing that is drawn depends on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace

from pipelines.jobs.events import Picture
from pipelines.jobs.runner import Events
from pipelines.metadata.provenance import LOADING, PLACE, TIME

Clock = Callable[[], float]  # seconds
LEAST = 0.05  # seconds of loading that are worth a word


def timed(events: Events, together: int = 1, loading: float = 0.0, spent: float = 0.0, now: Clock = time.perf_counter) -> Events:
    """The events of a batch, in which each picture tells how long the batch had been drawn when it was done.

    What is done with an event until the next one is asked for is not counted. `together`: pictures that are drawn side by side;
    `loading`: seconds that models were read before; `spent`: seconds that the batch was prepared.
    """
    began = now()
    with closing(events):
        for event in events:
            spent += now() - began
            yield _told(event, spent, together, loading) if isinstance(event, Picture) else event
            began = now()


def _told(picture: Picture, spent: float, together: int, loading: float) -> Picture:
    place = {PLACE: f"{picture.index % together + 1} of {together}"} if together > 1 else {}
    before = {LOADING: f"{loading:.2f} s"} if loading >= LEAST else {}
    return replace(picture, made_with={**picture.made_with, TIME: f"{spent:.2f} s", **before, **place})
