"""Remaining pictures of a job. One that gives way, that memory runs out in, or that a kill ends goes on from there: nothing twice,
nothing lost.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from models.json_values import is_table


@dataclass
class Progress:
    """It outlives an attempt at drawing the job, and in the job book a run of the studio."""

    batch: int = 0  # the first one that a recipe begins with
    pictures: int = 0  # those before this index, within the job, are drawn or were skipped
    stored: dict[int, str] = field(default_factory=dict[int, str])  # index -> id of a picture that a later round of a loopback begins with
    job: str = ""  # its id in the job book, by which what is kept of its steps is found
    shares: bool = False  # steps that a picture like it has made already are its own, too
    taken: bool = False  # a device that is apart has taken it up: when that is lost, the job may be the cause
    spared: bool = False  # something of it was known already, so the seconds that it takes say nothing of others

    def written(self) -> tuple[int, int, str]:
        """As the job book keeps it."""
        return self.batch, self.pictures, json.dumps(self.stored)


def read_progress(batch: object, pictures: object, stored: object) -> Progress:
    """What `written` wrote; whatever cannot be read is as at the beginning."""
    try:
        found: object = json.loads(stored if isinstance(stored, str) else "{}")
        known = {int(index): str(picture_id) for index, picture_id in found.items()} if is_table(found) else {}
    except (ValueError, RecursionError):
        known = {}
    return Progress(_count(batch), _count(pictures), known)


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
