"""Who draws what, where several devices draw: the studio's own order and placing through a day of jobs, against first come, first served,
and against one who knows what each batch will take and owes nobody a turn. `.venv/bin/python -m bench.devices` draws the plot as well.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from bench.day import HOURS, LARGE, SMALL, Chooser, Day, Device, Setting, Work, draw, orders
from bench.paired import Row
from pipelines.job_book.book import Job, JobBook
from pipelines.job_book.placing import Place, left_of
from pipelines.requests.request import TextToImage

PLOT = Path(__file__).with_suffix(".svg")
OWN, ALONE, FIRST, ALL = "this studio", "its ring without placing", "first come, first served", "knows all, owes nobody"
COLOURS = {OWN: "#b5502f", ALONE: "#d9a441", FIRST: "#7d7467", ALL: "#2f6f8f"}
SEED = 7
STEPS = 20


class Studio:
    """The real job book with its ring and its placing, as the worker's hands ask it."""

    def __init__(self, book: JobBook, setting: Setting, places: bool = True) -> None:
        """`places`: a device knows of the others; without it, each draws as if it were alone."""
        self._book, self._setting, self._places = book, setting, places
        self._work: dict[str, Work] = {}
        self._jobs: dict[int, Job] = {}  # that run, by device
        self._expected: dict[int, float] = {}

    def came(self, work: Work) -> None:
        side = round((work.seconds / self._setting.batch) ** 0.5 * 64) * 8  # a picture's size says what its batch will take, about
        request = TextToImage(checkpoint=work.model, width=side, height=side, steps=STEPS, batch_count=work.batches)
        self._work[self._book.submit(request, work.user)] = work

    def next(self, device: Device, devices: Sequence[Device], now: float) -> Work | None:
        others = [self._place(each, now) for each in devices if self._places and each is not device]
        job = self._jobs.get(device.number)
        if job and not self._book.queue.goes_on(job.id, device.held, others, _name(device)):
            self._book.released(job.id)
            job = None
        job = job or self._book.claim(device.held, others, _name(device))
        self._jobs.pop(device.number, None)
        if job is None:
            return None
        work = self._work[job.id]
        self._jobs[device.number] = job
        self._expected[device.number] = self._book.queue.expected(job.request, _name(device), work.model not in device.held) or 0.0
        return work

    def done(self, device: Device, work: Work, seconds: float, has_read: bool) -> None:
        job = self._jobs[device.number]
        job.progress.batch, job.progress.pictures = work.drawn, work.drawn
        self._book.queue.used(job.id, job.progress, seconds, not has_read, _name(device), has_read)
        if work.ended is not None:
            self._book.end(job.id, "done")
            del self._jobs[device.number]

    def _place(self, device: Device, now: float) -> Place:
        free = left_of(self._expected[device.number], now - device.since) if device.work else 0.0
        return Place(_name(device), frozenset(device.held), free)


class FirstCome:
    """Any device that is free takes the oldest job, and draws it to its end."""

    def __init__(self) -> None:
        self._waiting: deque[Work] = deque()
        self._own: dict[int, Work] = {}

    def came(self, work: Work) -> None:
        self._waiting.append(work)

    def next(self, device: Device, devices: Sequence[Device], now: float) -> Work | None:
        if device.number not in self._own and self._waiting:
            self._own[device.number] = self._waiting.popleft()
        return self._own.get(device.number)

    def done(self, device: Device, work: Work, seconds: float, has_read: bool) -> None:
        if work.ended is not None:
            del self._own[device.number]


class KnowsAll:
    """Next is what is at its end soonest, its model included, by what batches will really take. People are nothing to it."""

    def __init__(self, setting: Setting) -> None:
        self._setting, self._waiting = setting, list[Work]()

    def came(self, work: Work) -> None:
        self._waiting.append(work)

    def next(self, device: Device, devices: Sequence[Device], now: float) -> Work | None:
        if not self._waiting:
            return None
        best = min(self._waiting, key=lambda work: (self._left(work, device), work.number))
        self._waiting.remove(best)
        return best

    def done(self, device: Device, work: Work, seconds: float, has_read: bool) -> None:
        if work.ended is None:
            self._waiting.append(work)

    def _left(self, work: Work, device: Device) -> float:
        reading = 0.0 if work.model in device.held else self._setting.reading
        return reading + work.seconds * (work.batches - work.drawn) / device.speed


def days(setting: Setting, seed: int = SEED, hours: float = HOURS) -> dict[str, Day]:
    """The same orders, drawn in each way."""
    with tempfile.TemporaryDirectory() as name:
        books = [JobBook(Path(name) / kind / "studio.db", Path(name) / kind) for kind in ("own", "alone")]
        studios = [Studio(book, setting, places) for book, places in zip(books, (True, False), strict=True)]
        choosers: dict[str, Chooser] = dict(zip(COLOURS, (*studios, FirstCome(), KnowsAll(setting)), strict=True))
        found = {way: draw(setting, [replace(work) for work in orders(setting, seed, hours)], chooser) for way, chooser in choosers.items()}
        for book in books:
            book.close()
    return found


def at(sorted_seconds: Sequence[float], share: float) -> float:
    return sorted_seconds[min(len(sorted_seconds) - 1, int(share * len(sorted_seconds)))]


def told(setting: Setting, found: dict[str, Day]) -> str:
    """A wait is from an order to its first batch; "fresh" is one of who has nothing else waiting or drawn. "end" is a mean. In seconds."""
    jobs = len(next(iter(found.values())).work)
    heads = ("fresh", "95 %", "most", "wait", "95 %", "end", "95 %", "reads", "idle")
    lines = [f"\n{setting.name}: {jobs} jobs", f"{'':28}{''.join(f'{head:>8}' for head in heads)}"]
    for way, day in found.items():
        fresh, waits, stays = day.fresh(), day.waits(), day.stays()
        seconds = [at(fresh, 0.5), at(fresh, 0.95), fresh[-1], at(waits, 0.5), at(waits, 0.95), sum(stays) / jobs, at(stays, 0.95)]
        lines.append(f"{way:28}{''.join(f'{each:8.0f}' for each in seconds)}{day.reads:8}{day.idle:8.0%}")
    return "\n".join(lines)


def measure(rounds: int) -> list[Row]:
    """Waits and reads of the studio over those of others; a round is another quarter of a day."""
    rows: list[Row] = []
    for setting in (SMALL, LARGE):
        found = [days(setting, SEED + number, HOURS / 4) for number in range(min(rounds, 3))]
        print(told(setting, found[0]))
        fresh = [(at(each[OWN].fresh(), 0.95), at(each[FIRST].fresh(), 0.95)) for each in found]
        reads = [(float(each[OWN].reads), float(each[ALONE].reads)) for each in found]
        for what, pairs in ((f"95 % of fresh waits / {FIRST}", fresh), ("models read / without placing", reads)):
            rows.append(Row(f"{setting.name}: {what}", [one / other for one, other in pairs], 1.0, pairs[0][0]))
    return rows


WIDE, HIGH, LEFT = 420, 240, 46  # pixels of one part of the plot


def plot(found: dict[str, dict[str, Day]]) -> str:
    """For each studio the share of fresh orders whose first batch was begun within so many seconds."""
    width = len(found) * (WIDE + LEFT) + 30
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {HIGH + 78}" font-family="sans-serif" font-size="12">']
    parts.append('<rect width="100%" height="100%" fill="#fbf8f3"/>')
    for number, (name, ways) in enumerate(found.items()):
        parts.append(f'<g transform="translate({LEFT + number * (WIDE + LEFT)}, 34)"><text y="-12" font-weight="600">{name}</text>')
        longest = at(ways[FIRST].fresh(), 0.98) or 1.0
        parts += [*_axes(longest), *(_curve(way, day, longest) for way, day in ways.items()), "</g>"]
    for number, (way, colour) in enumerate(COLOURS.items()):
        x, y = LEFT + number * 220, HIGH + 60
        parts.append(f'<rect x="{x}" y="{y}" width="14" height="4" fill="{colour}"/><text x="{x + 20}" y="{y + 6}">{way}</text>')
    return "\n".join([*parts, "</svg>\n"])


def _axes(longest: float) -> list[str]:
    parts = [f'<path d="M0 0V{HIGH}H{WIDE}" fill="none" stroke="#9a9187"/>']
    for share in (0.5, 0.95):
        y = round(HIGH * (1 - share))
        parts.append(f'<path d="M0 {y}H{WIDE}" stroke="#e4ddd2"/><text x="-8" y="{y + 4}" text-anchor="end">{share:.0%}</text>')
    for part in range(5):
        x, seconds = WIDE * part / 4, longest * part / 4
        parts.append(f'<text x="{x:.0f}" y="{HIGH + 16}" text-anchor="middle">{seconds:.0f} s</text>')
    return parts


def _curve(way: str, day: Day, longest: float) -> str:
    waits = day.fresh()
    points = [(at(waits, step / 200) / longest * WIDE, HIGH * (1 - step / 200)) for step in range(1, 201)]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points if x <= WIDE)
    return f'<polyline points="{line}" fill="none" stroke="{COLOURS[way]}" stroke-width="2"/>'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--hours", type=float, default=HOURS)
    options = parser.parse_args()
    found: dict[str, dict[str, Day]] = {}
    for setting in (SMALL, LARGE):
        found[setting.name] = days(setting, options.seed, options.hours)
        print(told(setting, found[setting.name]), flush=True)
    PLOT.write_text(plot(found), "utf-8")


def _name(device: Device) -> str:
    """Devices that are alike have one name."""
    return f"card {device.speed:g}"


if __name__ == "__main__":
    main()
