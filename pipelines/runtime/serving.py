"""Serving a runner to who is elsewhere: told and answered in plain values (`pipelines.jobs.spoken`). The runner is the same as anywhere."""

from __future__ import annotations

import logging
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import asdict
from typing import BinaryIO

from models.errors import UserError
from models.files import Overrides
from models.json_values import is_table
from pipelines.jobs import frames, spoken, spoken_as, spoken_files
from pipelines.jobs.events import Event, Picture, Step
from pipelines.jobs.runner import Events
from pipelines.requests.remaining import Progress
from pipelines.requests.request import restore
from pipelines.runtime.receiving import Receiving
from pipelines.runtime.runner import ModelRunner

log = logging.getLogger(__name__)

ALONG = 0.05  # seconds that the state of a step waits for the next step
HELD = 64  # steps whose preview and state can still be asked for
NO_STEP = "This step is not held any more."


class Answers:
    """What is said, from any thread."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._lock = file, threading.Lock()
        self._held, self._gone = b"", threading.Event()

    def say(self, number: int, value: spoken.Value) -> None:
        self._write(frames.frame(number, value))

    def say_along(self, number: int, value: spoken.Value, within: float = ALONG) -> None:
        """With what is said next, as each message has its way; alone where nothing is said `within` so many seconds. Returns then."""
        with self._lock:
            self._held += frames.frame(number, value)
            self._gone.clear()
        if not self._gone.wait(within):
            self._write(b"")

    def _write(self, frame: bytes) -> None:
        with self._lock:
            told, self._held = self._held + frame, b""
            if told:
                self._file.write(told)
                self._file.flush()
            self._gone.set()


class Serving:
    """What touches weights is done in the thread that calls `serve`; previews, states and interruptions in that which listens."""

    def __init__(
        self,
        runner: ModelRunner,
        asks: BinaryIO,
        answers: Answers,
        alone: Callable[[], object] = lambda: None,
        receiving: Receiving | None = None,
    ) -> None:
        """`alone`: called when nobody asks any more, whatever is done at that moment. `receiving`: where it has folders of its own."""
        self._runner, self._asks, self._answers, self._alone, self._receiving = runner, asks, answers, alone, receiving
        self._todo: queue.SimpleQueue[tuple[int, spoken.Value] | None] = queue.SimpleQueue()
        self._unasked: queue.SimpleQueue[int | None] = queue.SimpleQueue()  # steps whose states are to be said
        self._steps: OrderedDict[int, Step] = OrderedDict()
        self._count = 0
        self._job: Generator[Events] | None = None
        self._batch: Events | None = None
        self._progress = Progress()
        self._told = spoken.Standing()
        runner.tell = self.say_standing

    def standing(self) -> spoken.Standing:
        runner = self._runner
        lines, reading = [spoken_as.line_said(line) for line in runner.ledger], runner.reading
        machine, runtime = dict[str, object](asdict(runner.machine)), dict[str, object](runner.runtime)
        return spoken.Standing(runner.device_name, machine, runtime, lines, sorted(runner.at_hand()), runner.lost, list(reading or ()))

    def say_standing(self) -> None:
        now = self.standing()
        if now != self._told:
            self._told = now
            self._answers.say(0, now)

    def serve(self) -> None:
        """Until nobody asks any more."""
        threading.Thread(target=self._listen, name="asked", daemon=True).start()
        threading.Thread(target=self._tell, name="unasked", daemon=True).start()
        while (asked := self._todo.get()) is not None:
            number, value = asked
            answer = self._answered(value)
            self.say_standing()
            self._answers.say(number, answer)
        self._unasked.put(None)
        self._answered(spoken.LeaveJob())

    def _listen(self) -> None:
        try:
            while True:
                number, value = frames.read_frame(self._asks)
                if isinstance(value, spoken.Interrupt | spoken.Look | spoken.State):
                    self._answers.say(number, self._answered(value))
                else:
                    self._todo.put((number, value))
        except (EOFError, OSError, ValueError, UserError):
            self._alone()
            self._runner.interrupt()
            self._todo.put(None)

    def _answered(self, value: spoken.Value) -> spoken.Value:
        try:
            return self._answer(value)
        except UserError as error:
            return spoken.Refused(str(error))
        except Exception as error:
            log.exception("something that a device was asked for has failed")
            return spoken.Broken(f"{type(error).__name__}: {error}")

    def _answer(self, value: spoken.Value) -> spoken.Value:
        match value:
            case spoken.Draw():
                return self._begin(value)
            case spoken.NextBatch() | spoken.NextEvent():
                self._progress.batch = value.batch
                self._progress.pictures = max(value.pictures, self._progress.pictures)  # it may be asked before the last one was heard
                return self._next_batch() if isinstance(value, spoken.NextBatch) else self._next_event(value.wanted)
            case spoken.LeaveBatch():
                return self._leave(whole=False)
            case spoken.LeaveJob():
                self._leave(whole=True)
                return self._done(self._over)
            case spoken_files.Wanted() | spoken_files.Range() | spoken_files.Fetch() | spoken_files.Owned():
                return self._received(value)
            case spoken.Look():
                return spoken.Data(self._step(value.step).preview())
            case spoken.State():
                return self._left(value.step)
            case spoken.Files():
                return spoken.Text(self._runner.files(restore(value.request)))
            case spoken.Unload():
                return self._done(lambda: self._runner.unload(value.line))
            case spoken.Interrupt():
                return self._done(self._runner.interrupt)
            case _:
                return spoken.Refused(spoken.OTHER)

    def _done(self, act: Callable[[], object]) -> spoken.Done:
        act()
        return spoken.Done()

    def _begin(self, draw: spoken.Draw) -> spoken.Value:
        self._leave(whole=True)
        self.decide(draw)
        self._progress = spoken_as.progress_of(draw)
        self._job = self._runner.batches(restore(draw.request), self._progress)
        return spoken.Done()

    def decide(self, draw: spoken.Draw) -> None:
        """What people decided about models holds here as well."""
        for entry in self._runner.catalog.models():
            told = draw.decided.get(entry.id)
            wanted = Overrides(**told) if is_table(told) else Overrides()  # pyright: ignore[reportArgumentType]  # of the same version
            if entry.overrides != wanted:
                self._runner.catalog.override(entry.id, wanted)

    def _next_batch(self) -> spoken.Value:
        self._batch = next(self._job, None) if self._job else None
        return spoken.Done() if self._batch else spoken.Over()

    def _next_event(self, wanted: bool) -> spoken.Value:
        if self._batch is None:
            return spoken.Over()
        try:
            return self._said(next(self._batch), wanted)
        except StopIteration:
            return spoken.Over()

    def _said(self, event: Event | None, wanted: bool) -> spoken.Value:
        stored = self._progress.written()[2]
        if event is None:
            return spoken.Nothing()
        if isinstance(event, Picture):
            return spoken_as.picture_said(event, stored)
        self._count += 1
        self._steps[self._count] = event
        while len(self._steps) > HELD:
            self._steps.popitem(last=False)
        said = spoken_as.step_said(event, self._count, wanted, stored)
        if said.comes:
            self._unasked.put(self._count)
        return said

    def _left(self, step: int) -> spoken.Value:
        state = self._step(step).state
        return spoken_as.numbers_of(state(), step) if state else spoken.Refused(NO_STEP)

    def _tell(self) -> None:
        """What steps leave behind, in a thread of its own: it waits for the device's numbers, and who draws does not."""
        with suppress(OSError, ValueError):
            while (step := self._unasked.get()) is not None:
                answer = self._answered(spoken.State(step))
                self._answers.say_along(0, answer if isinstance(answer, spoken.Numbers) else spoken.Unsaid(step))

    def _leave(self, whole: bool) -> spoken.Done:
        batch, self._batch = self._batch, None
        if batch:
            batch.close()
        if whole:
            job, self._job = self._job, None
            if job:
                job.close()
        return spoken.Done()

    def _received(self, value: spoken_files.Wanted | spoken_files.Range | spoken_files.Fetch | spoken_files.Owned) -> spoken.Value:
        if self._receiving is None:
            return spoken.Refused(spoken.OTHER)
        if isinstance(value, spoken_files.Wanted):
            self._runner.heed()
        return self._receiving.answer(value)

    def _over(self) -> None:
        if self._receiving:
            self._receiving.over()

    def _step(self, number: int) -> Step:
        found = self._steps.get(number)
        if found is None:
            raise UserError(NO_STEP)
        return found
