"""A day of jobs, from a seed: people who come and go, models of which some are loved, unlike devices. And the clock that draws them.

Seconds are those of the simulation. What a batch really takes is known to the clock alone; who chooses learns it as the studio does.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Protocol

HOURS = 8.0  # of a day


@dataclass(frozen=True)
class Setting:
    """A studio: its devices, models and people."""

    name: str
    speeds: tuple[float, ...]  # of each device; 2.0 draws twice as quickly as 1.0
    models: int
    held: int  # models that a device holds at once
    people: int
    batch: float = 20.0  # seconds that a batch takes at speed 1, about
    reading: float = 20.0  # seconds in which a model is read
    load: float = 0.8  # share of the day that the devices are asked for
    favourites: int = 4  # models that one person uses


SMALL = Setting("3 machines, 30 people", (1.0, 1.0, 0.6), models=12, held=2, people=30)
LARGE = Setting("8 cards, 200 models", (1.0,) * 8, models=200, held=3, people=60)


@dataclass(slots=True)
class Work:
    """A job as the clock knows it."""

    number: int
    user: str
    came: float
    model: str
    batches: int
    seconds: float  # of a batch at speed 1
    drawn: int = 0
    begun: float | None = None
    ended: float | None = None


@dataclass(slots=True)
class Device:
    number: int
    speed: float
    held: list[str] = field(default_factory=list[str])  # the most recently used last
    until: float = 0.0  # while it draws: the end of its batch
    since: float = 0.0
    work: Work | None = None

    def reads(self, model: str, most: int) -> bool:
        """Takes the model up, and says whether it had to be read."""
        missing = model not in self.held
        self.held = [*(each for each in self.held if each != model), model][-most:]
        return missing


class Chooser(Protocol):
    """Who says what is drawn. `devices` are all there are, at the moment `now`."""

    def came(self, work: Work) -> None: ...

    def next(self, device: Device, devices: Sequence[Device], now: float) -> Work | None:
        """What the device draws one batch of now; None: nothing."""
        ...

    def done(self, device: Device, work: Work, seconds: float, has_read: bool) -> None:
        """A batch was drawn; `Work.drawn` counts it already."""
        ...


@dataclass
class Day:
    """What came of it."""

    work: list[Work]
    reads: int = 0
    idle: float = 0.0  # share of the time from the first job to the last

    def waits(self) -> list[float]:
        """Seconds from each order to its first batch, sorted."""
        return sorted((work.begun or 0.0) - work.came for work in self.work)

    def fresh(self) -> list[float]:
        """The waits of those who had nothing else waiting or drawn when they ordered, sorted."""
        found, last = list[float](), dict[str, float]()
        for work in self.work:
            if last.get(work.user, 0.0) <= work.came:
                found.append((work.begun or 0.0) - work.came)
            last[work.user] = max(last.get(work.user, 0.0), work.ended or 0.0)
        return sorted(found)

    def stays(self) -> list[float]:
        """Seconds from each order to its last picture, sorted."""
        return sorted((work.ended or 0.0) - work.came for work in self.work)


def orders(setting: Setting, seed: int, hours: float = HOURS) -> list[Work]:
    """Everybody has some models that they love, comes for a while, orders, looks at what came, orders again."""
    dice = random.Random(seed)
    loved = [1 / (rank + 1) for rank in range(setting.models)]  # a few models are everybody's
    people = [
        (f"user {number}", _chosen(dice, loved, setting.favourites), dice.choice((1, 1, 2, 4, 8))) for number in range(setting.people)
    ]
    wanted, found, seconds = setting.load * sum(setting.speeds) * hours * 3600, list[Work](), 0.0
    while seconds < wanted:
        user, favourites, usual = dice.choice(people)
        begin, model = dice.random() * hours * 3600, dice.choice(favourites)
        for _ in range(dice.randrange(1, 12)):  # a sitting
            batches, each = max(1, round(usual * dice.lognormvariate(0, 0.5))), setting.batch * dice.lognormvariate(0, 0.4)
            found.append(Work(0, user, begin, f"m{model}", batches, each))
            seconds += batches * each
            begin += dice.expovariate(1 / 90)
            model = model if dice.random() < 0.8 else dice.choice(favourites)
    found.sort(key=lambda work: work.came)
    for number, work in enumerate(found):
        work.number = number
    return found


def draw(setting: Setting, work: Sequence[Work], chooser: Chooser) -> Day:
    """The day, batch by batch, with whom the chooser chooses."""
    devices, day = [Device(number, speed) for number, speed in enumerate(setting.speeds)], Day(list(work))
    tick, events = count(), list[tuple[float, int, Callable[[], None]]]()
    now, busy = 0.0, 0.0

    def done(device: Device, has_read: bool) -> None:
        own = device.work
        assert own
        own.drawn += 1
        if own.drawn == own.batches:
            own.ended = now
        device.work = None
        chooser.done(device, own, now - device.since, has_read)

    def begin(device: Device, own: Work) -> None:
        has_read = device.reads(own.model, setting.held)
        day.reads += has_read
        own.begun = now if own.begun is None else own.begun
        device.work, device.since = own, now
        device.until = now + own.seconds / device.speed + (setting.reading if has_read else 0.0)
        heapq.heappush(events, (device.until, next(tick), lambda: done(device, has_read)))

    def ask() -> None:
        nonlocal busy
        begun = True
        while begun:
            begun = False
            for device in devices:
                if device.work is None and (own := chooser.next(device, devices, now)):
                    begin(device, own)
                    busy += device.until - now
                    begun = True

    for each in work:
        heapq.heappush(events, (each.came, next(tick), lambda each=each: chooser.came(each)))
    while events:
        now, _, act = heapq.heappop(events)
        act()
        ask()
    day.idle = 1 - busy / (now * len(devices))
    assert all(each.drawn == each.batches for each in work), "somebody's job was never drawn"
    return day


def _chosen(dice: random.Random, weights: Sequence[float], most: int) -> list[int]:
    found = list[int]()
    while len(found) < min(most, len(weights)):
        number = dice.choices(range(len(weights)), weights)[0]
        if number not in found:
            found.append(number)
    return found
