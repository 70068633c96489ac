"""A runner that is far: its device draws in a process of its own, and all that is said between the two are plain values (`spoken.py`).

A process that ends, is killed or says nothing that can be understood is lost: the job that it drew waits again, and goes on from its last
kept step.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Collection, Generator, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING, NoReturn

from models.errors import UserError
from models.files import Overrides
from models.library.catalog import Catalog
from models.memory.manager import Key
from pipelines.jobs import spoken, spoken_as
from pipelines.jobs.events import Event, Step
from pipelines.jobs.far_states import FarStates
from pipelines.jobs.line import PATIENCE, Gone, Line, Lost, answer_of
from pipelines.jobs.runner import Events, Watching
from pipelines.jobs.sending import Sending
from pipelines.requests.remaining import Progress, read_progress
from pipelines.requests.request import Drawing, Request, Wordless, describe
from pipelines.steps.begun import Own
from pipelines.steps.state import Numbers, StepState

if TYPE_CHECKING:
    from PIL.Image import Image

    from models.diffusion_model import DiffusionModel
    from models.networks.vision import Vision
    from pipelines.preprocessors.annotators import Annotator

HERE = Path(__file__).parents[2]
ENDS = 5.0  # seconds that a process has to end by itself
APART = "This device draws in a process of its own, where nobody can look in. Ask again when another device is free."
GONE = "The process of this device has ended. It is begun anew, and what it drew goes on from its last kept step."
HANGS = "The process of this device did not answer for a long while and was ended. It is begun anew, and what it drew goes on."


class FarRunner:
    """See `Runner`. What needs the networks themselves is refused: looks inside, previews of maps, the safety checker."""

    is_apart = True

    def __init__(
        self,
        catalog: Catalog,
        asks: IO[bytes],
        answers: IO[bytes],
        setup: spoken.Setup,
        end: Callable[[], None] = lambda: None,
        patience: float = PATIENCE,
        sending: Sending | None = None,
        machine: str = "",
    ) -> None:
        """Returns when the device is open. Raises `UserError` where it cannot be. `end`: ends its process. `patience`: seconds without an
        answer after which it is taken to hang, and ended. `sending`: of what it needs, where it has folders of its own.
        `machine`: the computer where it is, if that is another.
        """
        self._catalog, self.close, self._patience = catalog, end, patience
        self._sending, self._machine = sending, machine
        self._standing = spoken.Standing()
        self.lost = ""
        self.reading: Key | None = None
        self.tell: Callable[[], None] = lambda: None
        self._states = FarStates()
        self._line = Line(asks, answers, self._heard, self._gone)
        try:
            found = self._line.ask(setup, patience)
        except Gone:
            raise UserError("The process of this device has ended before it was ready; the details are in the log.") from None
        except TimeoutError:
            raise UserError("This device does not answer. It is begun anew.") from None
        if not isinstance(found, spoken.Standing):
            raise UserError(spoken.OTHER)
        self._stands(found)
        if sending:
            sending.learn(self._ask)

    def _heard(self, said: spoken.Value) -> None:
        """Unasked."""
        if isinstance(said, spoken.Standing):
            self._stands(said)
        elif isinstance(said, spoken.Numbers | spoken.Unsaid):
            self._states.put(said)

    # ------------------------------------------------------------------------------------------ how it stands

    @property
    def device_name(self) -> str:
        return f"{self._standing.device} of {self._machine}" if self._machine else self._standing.device

    def _stands(self, found: spoken.Standing) -> None:
        before, self._standing = self._standing, found
        self.machine = spoken_as.machine_of(found.machine)
        self.ledger = tuple(map(spoken_as.line_of, found.ledger))
        self.lost = self.lost or found.lost
        self.reading = spoken_as.key_of(found.reading)
        if [*found.reading] != [*before.reading]:
            self.tell()

    def _gone(self) -> None:
        self.lost = self.lost or GONE
        self._states.over()
        self.tell()

    @property
    def runtime(self) -> Mapping[str, str]:
        return {name: str(text) for name, text in self._standing.runtime.items()}

    def at_hand(self) -> Collection[str]:
        return set(self._standing.at_hand)

    def coming(self) -> Mapping[str, float]:
        return self._sending.coming() if self._sending else {}

    def files(self, request: Request) -> str:
        """As the studio sees them: what is sent is what lies here."""
        if self._sending:
            return self._sending.looks(request)
        answer = self._ask(spoken.Files(describe(request)))
        return answer.text if isinstance(answer, spoken.Text) else ""

    def unload(self, line_id: str) -> None:
        self._ask(spoken.Unload(line_id))

    def interrupt(self) -> None:
        with suppress(Gone):
            self._line.put(spoken.Interrupt())

    # ------------------------------------------------------------------------------------------ drawing

    def batches(self, request: Request, progress: Progress | None = None, watching: Watching | None = None) -> Generator[Events]:
        """`watching` sees nothing. The first batch begins with what has to be sent for it."""
        begun = progress or Progress()
        left = request.batch_total - begun.batch
        try:
            if left > 0:
                yield self._first(request, begun)
            for _ in range(left - 1):
                yield self._events(begun)
        finally:
            self._leave(spoken.LeaveJob())

    def _first(self, request: Request, begun: Progress) -> Events:
        if self._sending:
            yield from self._sending.sent(request, begun, self._ask, self._reads, self.device_name)
        draw = self._put(spoken_as.draw_of(request, begun, decided_in(self._catalog)))
        begun.taken = True
        yield from self._events(begun, draw)

    def _reads(self, key: Key | None) -> None:
        if key != self.reading:
            self.reading = key
            self.tell()

    def _events(self, progress: Progress, *before: Future[spoken.Value]) -> Events:
        """The next one is asked for while this one is heard, so the device does not wait for the way there and back. What is asked for and
        not wanted any more ends at the next place to stop at. `before`: what was asked for first, and may be refused.
        """
        try:
            begins = (*before, self._put(spoken.NextBatch(progress.batch, progress.pictures)))
            ahead = self._next(progress)
            for asked in begins:
                self._answer(asked)
            while True:
                asked, ahead = ahead, self._next(progress)
                if isinstance(said := self._answer(asked), spoken.Over):
                    return
                yield self._event(said, progress)
        finally:
            self._leave(spoken.LeaveBatch())

    def _next(self, progress: Progress) -> Future[spoken.Value]:
        return self._put(spoken.NextEvent(progress.batch, progress.pictures, self._states.is_wanted()))

    def _event(self, said: spoken.Value, progress: Progress) -> Event | None:
        if isinstance(said, spoken.StepSaid | spoken.PictureSaid):
            progress.stored.update(read_progress(0, 0, said.stored).stored)
        if isinstance(said, spoken.PictureSaid):
            progress.pictures = said.index + 1
            picture = spoken_as.picture_of(said)
            if self._sending:
                self._sending.brought(picture, progress, self._ask)
            return picture
        return self._step(said) if isinstance(said, spoken.StepSaid) else None

    def _step(self, said: spoken.StepSaid) -> Step:
        def state() -> StepState:
            answer = self._taken(said) or self._ask(spoken.State(said.number))
            assert isinstance(answer, spoken.Numbers)
            return spoken_as.state_of(answer)

        def preview() -> bytes:
            answer = self._ask(spoken.Look(said.number))
            return answer.data if isinstance(answer, spoken.Data) else b""

        self._states.made(said.number)
        look, left = preview if said.looks else bytes, state if said.leaves else None
        return Step(said.index, said.count, said.batch, said.batches, look, said.before, left)

    def _taken(self, said: spoken.StepSaid) -> spoken.Numbers | None:
        try:
            return self._states.take(said.number, said.comes, self._patience)
        except TimeoutError as error:
            raise self._hangs() from error

    def _ask(self, value: spoken.Value) -> spoken.Value:
        return self._answer(self._put(value))

    def _put(self, value: spoken.Value) -> Future[spoken.Value]:
        try:
            return self._line.put(value)
        except Gone as error:
            self._gone()
            raise Lost(self.lost) from error

    def _answer(self, asked: Future[spoken.Value]) -> spoken.Value:
        try:
            return answer_of(asked, self._patience)
        except TimeoutError as error:
            raise self._hangs() from error
        except Gone as error:
            self._gone()
            raise Lost(self.lost) from error

    def _hangs(self) -> Lost:
        self.lost = self.lost or HANGS
        self.close()
        return Lost(self.lost)

    def _leave(self, value: spoken.Value) -> None:
        """Of what is lost there is nothing left to leave. Nobody waits for it: whatever is asked for next comes after it."""
        with suppress(Gone):
            if not self.lost:
                self._line.put(value)

    # ------------------------------------------------------------------------------------------ what is refused

    def annotator(self, key: str) -> AbstractContextManager[Annotator | None]:
        refuse()

    def lent(self, request: Drawing) -> AbstractContextManager[DiffusionModel]:
        refuse()

    def vision(self, width: int) -> AbstractContextManager[Vision]:
        refuse()

    def watched(self, request: Drawing | Wordless, watching: Watching, own: Own | None = None) -> Events:
        refuse()

    def frames(self, request: Wordless, latents: Numbers, made_with: Mapping[str, str]) -> Generator[None, None, tuple[Image, ...]]:
        refuse()


def decided_in(catalog: Catalog) -> dict[str, object]:
    """What people decided about models, where that is anything, by their ids."""
    return {entry.id: asdict(entry.overrides) for entry in catalog.models() if entry.overrides != Overrides()}


def refuse() -> NoReturn:
    raise UserError(APART)


def open_apart(catalog: Catalog, setup: spoken.Setup, python: str, sending: Sending | None = None) -> FarRunner:
    """In a process that ends with this one. `sending`: where `setup` has a root. Raises `UserError` where the device cannot be opened."""
    process = subprocess.Popen([python, "-m", "pipelines.runtime.apart"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=HERE)
    assert process.stdin and process.stdout

    def end() -> None:
        with suppress(OSError):
            asks.close()
        try:
            process.wait(ENDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    asks = process.stdin
    try:
        return FarRunner(catalog, asks, process.stdout, setup, end, sending=sending)
    except (UserError, RuntimeError):
        end()
        raise
