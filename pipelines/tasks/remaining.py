"""Remaining pictures of a job. One that memory runs out in goes on from there: nothing twice, nothing lost."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Progress:
    """It outlives an attempt at drawing the job."""

    batch: int = 0  # the first one that a recipe begins with
    pictures: int = 0  # those before this index, within the job, are drawn or were skipped
    stored: dict[int, str] = field(default_factory=dict[int, str])  # index -> id of a picture that a later round of a loopback begins with
