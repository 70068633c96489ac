"""What a prompt says from step to step: the schedule of a pass.

A1111 1.10 counts the calls of the network (modules/prompt_parser.py, modules/sd_samplers_cfg_denoiser.py): a sampler with two calls a
step has twice as many, a share is one of all of them, and a whole number is a call. The first call has number 0 and is drawn as number 1:
so with [a:b:5] the calls 0 to 5 say a, and with [a|b] two calls in a row begin with a. Image to image counts its calls from 0 as well,
over the steps that were asked for, of which fewer are made. In a second pass shares count from 1 and numbers from the calls of the first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from models.errors import UserError
from pipelines.prompts.changes import Change, Span, Words, joined
from pipelines.prompts.grammar import Part, Prompt, parse, plain_runs

MOST_SAID = 250_000  # characters of all that one prompt says from step to step


@dataclass(frozen=True, slots=True)
class Pass:
    """The steps of one pass."""

    steps: int  # that were asked for
    calls_a_step: int = 1  # of the network
    run: int = 0  # steps that are made; 0: all of them
    before: int | None = None  # calls of the pass before, in a second one

    @property
    def calls(self) -> int:
        """Over which a schedule is spread, whether or not all are made."""
        return self.steps * self.calls_a_step

    @property
    def made(self) -> int:
        """Calls that are made; the last step of a sampler with two makes one of them."""
        return (self.run or self.steps) * self.calls_a_step

    def call(self, step: int, nth: int = 0) -> int:
        """The number of a call: the `nth`, from 0, of a step that is made, from 0."""
        return step * self.calls_a_step + min(nth, self.calls_a_step - 1)

    def last_call(self, change: Change) -> int:
        """The last call that says the first option of a schedule. Below 1: none does."""
        return self._last(change.when)

    def _last(self, when: str) -> int:
        number = float(when)
        second = self.before is not None
        value = (number - second) * self.steps * self.calls_a_step if "." in when else number - (self.before or 0)
        return self.calls if value >= self.calls else int(value)

    def when(self, last: int, as_share: bool) -> str:
        """The shortest number that `last_call` reads as this call, 0 .. `calls`: a share of the calls, or one of them."""
        if not as_share:
            return str(last + (self.before or 0))
        second = self.before is not None
        for digits in range(1, 7):
            least = math.ceil(last * 10**digits / self.calls)
            for share in (least, least + 1):
                written = f"{share / 10**digits + second:.{digits}f}"
                if self._last(written) == last:
                    return written
        raise ValueError(f"no share of {self.calls} calls is call {last}")


@dataclass(frozen=True, slots=True)
class Said:
    """One of the prompts that are said at a time: plain, with nothing in it but words and weights."""

    weight: float  # among those that AND joins
    text: str
    spans: tuple[Span, ...] = ()  # of `Prompt.bare`, whose characters these are


@dataclass(frozen=True, slots=True)
class Interval:
    """Calls of the network that are told the same."""

    first: int
    last: int
    said: tuple[Said, ...]


@dataclass(frozen=True)
class Schedule:
    """What a prompt says in one pass."""

    over: Pass
    intervals: tuple[Interval, ...]  # over all calls, at least one; neighbours differ

    def at(self, step: int, nth: int = 0) -> tuple[Said, ...]:
        """What is said at a step that is made, from 0; of a step with two calls, at its `nth`, from 0."""
        return self.at_call(self.over.call(step, nth))

    def at_call(self, call: int) -> tuple[Said, ...]:
        return next((each.said for each in self.intervals if call <= each.last), self.intervals[-1].said)

    @property
    def texts(self) -> tuple[str, ...]:
        """All that it says, each once."""
        return tuple(dict.fromkeys(said.text for interval in self.intervals for said in interval.said))

    @property
    def is_joined(self) -> bool:
        """It says several prompts at once."""
        return any(len(interval.said) > 1 for interval in self.intervals)

    @cached_property
    def made(self) -> tuple[Interval, ...]:
        """Those of the calls that are made."""
        return tuple(_cut(each, self.over.made) for each in self.intervals if each.first < self.over.made)


def schedule(prompt: Prompt | str, over: Pass) -> Schedule:
    """What the prompt says in this pass. Raises `UserError` when it cannot be drawn: too many or too deep changes, or too long in all."""
    prompt = parse(prompt) if isinstance(prompt, str) else prompt
    if prompt.problem:
        raise UserError(prompt.problem)
    intervals: list[Interval] = []
    known: set[str] = set()
    for first in _beginnings(prompt, over):
        said = tuple(_said(prompt.bare, part, max(first, 1), over) for part in prompt.parts)
        known.update(each.text for each in said)
        if sum(map(len, known)) > max(MOST_SAID, len(prompt.bare)):
            raise UserError(f"What is said from step to step is longer than {MOST_SAID:,} characters in all. Shorten it, or change less.")
        if not intervals or intervals[-1].said != said:
            intervals.append(Interval(first, first, said))
    return Schedule(over, tuple(_ended(intervals, over)))


def first_words(text: str) -> str:
    """What a prompt says at first, without how strongly. Any text has some."""
    try:
        said = schedule(text, Pass(1)).intervals[0].said[0].text
    except UserError:
        said = text
    return " ".join(run.text for run in plain_runs(said) if not run.is_break)


def plain(text: str, over: Pass) -> Schedule:
    """A text that is said as it is at all steps."""
    return Schedule(over, (Interval(0, over.calls - 1, (Said(1.0, text, ((0, len(text)),)),)),))


def said_of(bare: str, change: Change, call: int, over: Pass) -> str:
    """What one change says at a call."""
    words = Words(change.start, change.end, (change,))
    return "".join(bare[start:end] for start, end in _spans(words, max(call, 1), over))


def _beginnings(prompt: Prompt, over: Pass) -> Sequence[int]:
    """Calls at which something may change."""
    found = {0}
    for change in prompt.changes:
        if change.kind == "alternation":
            return range(over.calls)
        found.add(over.last_call(change) + 1)
    return sorted(call for call in found if call == 0 or 1 < call < over.calls)


def _cut(interval: Interval, calls: int) -> Interval:
    return Interval(interval.first, min(interval.last, calls - 1), interval.said)


def _ended(intervals: Sequence[Interval], over: Pass) -> Iterator[Interval]:
    ends = [*(each.first - 1 for each in intervals[1:]), over.calls - 1]
    return (Interval(each.first, end, each.said) for each, end in zip(intervals, ends, strict=True))


def _said(bare: str, part: Part, turn: int, over: Pass) -> Said:
    spans = joined(_spans(part.words, turn, over))
    return Said(part.weight, "".join(bare[start:end] for start, end in spans), spans)


def _spans(words: Words, turn: int, over: Pass) -> Iterator[Span]:
    """As deep as changes may stand in one another."""
    place = words.start
    for change in words.changes:
        yield place, change.start
        yield from _spans(_option(change, turn, over), turn, over)
        place = change.end
    yield place, words.end


def _option(change: Change, turn: int, over: Pass) -> Words:
    """`turn`: the call, from 1."""
    if change.kind == "alternation":
        return change.options[(turn - 1) % len(change.options)]
    return change.options[0] if turn <= over.last_call(change) else change.options[1]
