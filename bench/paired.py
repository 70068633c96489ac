"""Timing in pairs: the variants take turns, so that the machine's drift meets them all alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

Timed = Callable[[], float]  # runs once, returns seconds


class NotHere(Exception):
    """Something that a bench needs is not on this machine. Its text says what, and what to do."""


@dataclass(frozen=True)
class Row:
    """One line of the table: the ratio of a variant to its base, pair by pair."""

    name: str
    ratios: Sequence[float]
    limit: float | None  # the most the median may be
    seconds: float  # median of the variant

    @property
    def median(self) -> float:
        return statistics.median(self.ratios)


def take_turns(variants: dict[str, Timed], rounds: int) -> dict[str, list[float]]:
    """Seconds of each variant, one entry a round, after one round that does not count. Every other round runs backwards."""
    times: dict[str, list[float]] = {name: [] for name in variants}
    for turn in range(rounds + 1):
        order = list(variants.items())
        for name, run in order if turn % 2 else reversed(order):
            seconds = run()
            if turn:
                times[name].append(seconds)
    return times


def compare(times: dict[str, list[float]], base: str, limits: dict[str, float | None]) -> list[Row]:
    """A row for each variant in `limits`, against `base`."""
    return [row(f"{name} / {base}", times[name], times[base], limit) for name, limit in limits.items()]


def row(name: str, variant: list[float], base: list[float], limit: float | None) -> Row:
    return Row(name, [a / b for a, b in zip(variant, base, strict=True)], limit, statistics.median(variant))


def table(title: str, rows: list[Row]) -> str:
    lines = [f"\n{title}", f"{'':58}{'median':>8}{'least':>8}{'most':>8}{'limit':>8}{'seconds':>10}"]
    for entry in rows:
        limit = f"{entry.limit:8.2f}" if entry.limit else f"{'':8}"
        mark = "  over" if entry.limit and entry.median > entry.limit else ""
        figures = f"{entry.median:8.3f}{min(entry.ratios):8.3f}{max(entry.ratios):8.3f}{limit}{entry.seconds:10.3f}"
        lines.append(f"{entry.name:58}{figures}{mark}")
    return "\n".join(lines)
