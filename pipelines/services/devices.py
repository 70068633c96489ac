"""Devices: what draws here, what lies in the memory of each, how quick it is and what it does at this moment."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from models.memory.manager import Key, LedgerLine
from pipelines.job_book.book import BookError, Job
from pipelines.jobs.hand import Hand
from pipelines.jobs.runner import Runner
from pipelines.jobs.sending import is_sending
from pipelines.jobs.worker import Worker

BETWEEN = "/"  # in the id of a line, behind the number of a further device
MEGAPIXELS = 512 * 512 / 1e6  # of a picture of 512 x 512, by which the pace is told


@dataclass(frozen=True, slots=True)
class DeviceNow:
    """One device as it is at this moment."""

    number: int
    name: str  # that torch has for it; "" before it is known
    title: str  # what it is, as people call it
    state: str  # of `Worker.state`
    message: str  # why it does not draw, or ""
    paused: bool
    memory: int  # bytes for weights and pictures; 0 before they are known
    lines: tuple[LedgerLine, ...]  # the least recently used first
    seconds: float | None  # that a step of 512 x 512 takes here; None before anything was drawn
    job: Job | None  # that it draws
    share: float  # of its batch in work that is done, 0 to 1
    coming: str  # how much of the models that it needs for it has come, as "34 %"; "" when nothing comes

    @property
    def used(self) -> int:
        """Bytes of that memory in which weights lie."""
        return sum(line.bytes for line in self.lines if line.tier == self._tier)

    @property
    def _tier(self) -> str:
        return "device" if any(line.tier == "device" for line in self.lines) else "host"


class Devices:
    """Safe to call from any thread."""

    def __init__(self, worker: Worker, called: Callable[[Key], str]) -> None:
        """`called`: what weights are called, by their key."""
        self._worker, self._called = worker, called

    def all(self) -> list[DeviceNow]:
        return [self._one(hand) for hand in self._worker.hands]

    def pause(self, number: int, pauses: bool) -> None:
        """From the next batch on this device draws nothing; or it goes on. What it draws then goes on elsewhere, or waits."""
        self._worker.pause(number, pauses)

    def welcome(self, open_runner: Callable[[], Runner], machine: str) -> Callable[[], None]:
        """See `Worker.welcome`."""
        return self._worker.welcome(open_runner, machine)

    def unload(self, line_id: str) -> None:
        """Lets go of what a line names, as soon as no job runs on its device."""
        number, _, rest = line_id.partition(BETWEEN)
        device, own = (int(number), rest) if rest and number.isdecimal() else (0, line_id)
        self._worker.between_jobs(f"unload {line_id}", lambda runner: runner.unload(own), device)

    def _one(self, hand: Hand) -> DeviceNow:
        runner, live = hand.runner, hand.live
        step = live.step if live else None
        state, message = hand.state
        return DeviceNow(
            number=hand.number,
            name=hand.device,
            title=" · ".join(filter(None, (hand.machine, runner.runtime.get("Device", runner.device_name) if runner else ""))),
            state=state,
            message="" if state == "ready" else message,
            paused=hand.paused,
            memory=(runner.machine.device or runner.machine.host) if runner else 0,
            lines=tuple(self._line(hand.number, line) for line in runner.ledger) if runner else (),
            seconds=self._pace(hand),
            job=live.job if live else None,
            share=step.index / step.count if step and step.count and not step.before else 0.0,
            coming=key.family if (key := hand.reading()) and is_sending(key) else "",
        )

    def _line(self, number: int, line: LedgerLine) -> LedgerLine:
        own = f"{number}{BETWEEN}{line.id}" if number else line.id
        return replace(line, id=own, name=self._called(line.key))

    def _pace(self, hand: Hand) -> float | None:
        if hand.runner is None:
            return None
        try:
            return self._worker.book.queue.pace(MEGAPIXELS, hand.device_of_several)
        except BookError:
            return None
