"""A process that draws on one device for the studio: `python -m pipelines.runtime.apart`, told and answered over its pipes."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from models.errors import UserError
from pipelines.jobs import frames, spoken
from pipelines.jobs.program import program

if TYPE_CHECKING:
    from pipelines.runtime.receiving import Receiving
    from pipelines.runtime.runner import ModelRunner

log = logging.getLogger(__name__)

ENDS = 20.0  # seconds that what is in work has to come to its end when the studio has gone
OTHER_VERSION = "The process of a device is of another version than the studio. Start Atelier anew."
OTHER_PROGRAM = (
    "A device's Atelier is another one than the studio's, so its pictures could be others. Bring both to one version, then start them anew."
)


def main() -> None:
    """Until the studio has no more to ask, or is not there any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C is for the studio, which then asks no more
    logging.basicConfig(level=logging.INFO, format="%(levelname)s device: %(message)s")
    talk(sys.stdin.buffer, _kept_apart())


def end_soon() -> None:
    """Nobody asks any more: whatever hangs is left behind."""
    ending = threading.Timer(ENDS, os._exit, (1,))
    ending.daemon = True
    ending.start()


def as_told(setup: spoken.Setup) -> spoken.Setup:
    """On the studio's own computer."""
    return setup


def talk(
    asks: BinaryIO, answers: BinaryIO, alone: Callable[[], object] = end_soon, here: Callable[[spoken.Setup], spoken.Setup] = as_told
) -> None:
    """Opens the device that is asked for and serves it until nobody asks any more. `alone`: see `Serving`. `here`: what is told, with the
    folders of this computer.
    """
    with suppress(EOFError):
        number, setup = _first(asks)
        try:
            runner, receiving = opened(here(checked(setup)))
        except Exception as error:  # noqa: BLE001  whatever it is, it is told
            answers.write(frames.frame(number, _refusal(error)))
            answers.flush()
            return
        _serve(runner, receiving, asks, answers, number, alone)


def _first(asks: BinaryIO) -> tuple[int, spoken.Value | None]:
    """What a studio of another version says may have other fields; its first question has the first number all the same."""
    try:
        return frames.read_frame(asks)
    except UserError:
        return 1, None


def _refusal(error: Exception) -> spoken.Value:
    """A sentence for people, or what the studio's log is to tell: nobody may ever see that of this process."""
    if isinstance(error, UserError):
        return spoken.Refused(str(error))
    log.error("a device could not be opened", exc_info=error)
    return spoken.Broken(f"{type(error).__name__}: {error}")


def checked(setup: spoken.Value | None) -> spoken.Setup:
    """Raises `UserError` where the studio is of another version."""
    if not isinstance(setup, spoken.Setup) or setup.version != spoken.VERSION:
        raise UserError(OTHER_VERSION)
    if setup.program and setup.program != program():
        raise UserError(OTHER_PROGRAM)
    return setup


def _serve(
    runner: ModelRunner, receiving: Receiving | None, asks: BinaryIO, answers: BinaryIO, number: int, alone: Callable[[], object]
) -> None:
    from models.memory.heap import set_apart
    from pipelines.runtime.serving import Answers, Serving

    says = Answers(answers)
    serving = Serving(runner, asks, says, alone, receiving)
    set_apart()
    says.say(number, serving.standing())
    serving.serve()


def opened(setup: spoken.Setup) -> tuple[ModelRunner, Receiving | None]:
    """The runner, and what receives for it where it has a folder of its own. Raises `UserError` where the device is not there."""
    from models.library.catalog import Catalog
    from models.memory.device import choose, read_machine
    from pipelines.images.store import INPUTS, Inputs
    from pipelines.preprocessors.annotators import Annotators
    from pipelines.runtime.receiving import Receiving
    from pipelines.runtime.runner import open_runner
    from pipelines.steps.store import KeptSteps

    starter, folders, outputs, receiving = Path(setup.starter), [Path(each) for each in setup.models], Path(setup.outputs), None
    if setup.root:
        receiving = Receiving(Path(setup.root), folders, starter, setup.room)
        folders, outputs = [receiving.beside], receiving.outputs
    catalog = receiving.catalog if receiving else Catalog(starter, folders)
    catalog.rescan(wait=True)
    machine = read_machine(choose(setup.device)).of_several(setup.host, setup.device_memory, setup.parts, setup.sharers)
    annotators, steps = Annotators(folders, starter), KeptSteps(outputs, setup.steps_budget)
    runner = open_runner(catalog, setup.device, Inputs(outputs / INPUTS), machine, annotators, steps, setup.compiles)
    if receiving:
        receiving.go_on = runner.go_on
    return runner, receiving


def _kept_apart() -> BinaryIO:
    """What is said goes where standard output went; whatever a library prints goes to the log."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


if __name__ == "__main__":
    from models.memory.heap import leave_alone

    leave_alone()  # until the device is open
    main()
