"""Steps that a picture shares with one that was drawn before it: a cell of a grid goes on from where it becomes another picture.

The pictures of this run of the studio are remembered by what they asked for, so nothing that acts on bits can have changed in between: the
device, the threads and the way of drawing are those of then, and the files of the models are compared. Their steps are where all steps
are kept, found by content; of one that is not there any more the picture is drawn from its beginning. Those that share no step share
the first answer of the network, where that was asked the same (`first_answers.py`).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from functools import partial

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from pipelines.jobs.events import Event, Picture, Step
from pipelines.requests.branch import Branch
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Drawing
from pipelines.resolving.model_names import SEVERAL
from pipelines.runtime.first_answers import FirstAnswers
from pipelines.steps.alike import shared_steps
from pipelines.steps.begun import Begun
from pipelines.steps.content import MODEL_HASH, content_of
from pipelines.steps.state import StepState
from pipelines.steps.store import KeptSteps, StepFile

log = logging.getLogger(__name__)

REMEMBERED = 64  # pictures
BEFORE = "Steps that another picture has made already"
FILES = frozenset({MODEL_HASH, *(key for _, key in SEVERAL.values())})  # of models that act in the steps


@dataclass(frozen=True)
class _Drawn:
    asked: Drawing
    files: Mapping[str, str]
    sparing: bool
    content: str


class Sharing:
    """For the worker's thread."""

    def __init__(self) -> None:
        self._drawn: deque[_Drawn] = deque(maxlen=REMEMBERED)
        self._first = FirstAnswers()

    def lent(self, model: DiffusionModel, request: Drawing, way: object, progress: Progress) -> DiffusionModel:
        """The model, which is not asked twice what other cells have asked it at their first step. `way`: how it runs."""

        def spared() -> None:
            progress.spared = True

        return self._first.lent(model, request, (_files(model.made_with), way), spared)

    def remember(self, asked: Drawing, picture: Picture, sparing: bool) -> None:
        """A picture is finished. `asked`: what was asked for, before anything was decided while it was drawn."""
        if isinstance(picture.request, Drawing) and picture.count == 1:
            content = content_of(picture.request, picture.made_with)
            self._drawn.append(_Drawn(asked, _files(picture.made_with), sparing, content))

    def begun(self, steps: KeptSteps, asked: Drawing, model: DiffusionModel, begun: Begun, sparing: bool) -> Generator[Event, None, Begun]:
        """What is made already of this picture, with the steps that another one has made. Tells these, so that they are kept with it."""
        alike = ((shared_steps(asked, drawn.asked), number, drawn) for number, drawn in enumerate(self._drawn) if drawn.sparing == sparing)
        for step, _, drawn in sorted((each for each in alike if each[0] > 0), key=lambda each: each[:2], reverse=True):
            use = Branch(step=step)
            found = replace(begun, branch=use)
            if not found.needs_trunk:
                return begun
            file = steps.of_content(drawn.content) if drawn.files == _files(model.made_with) else None
            if file and (yield from _told(file, step)):
                return replace(found, trunk=partial(_state, file, step - 1))
        return begun


def _state(file: StepFile, index: int, leg: int) -> StepState | None:
    return file.state(leg, index) if leg == 0 else None


def _files(made_with: Mapping[str, str]) -> dict[str, str]:
    return {key: made_with[key] for key in FILES & made_with.keys()}


def _told(file: StepFile, step: int) -> Generator[Event, None, bool]:
    """The first steps of a file, all of them. False where it lacks one, or cannot be read."""
    try:
        places = {index: file.places[0, index] for index in range(step) if (0, index) in file.places}
        if len(places) < step:
            return False
        file.state(0, step - 1)
    except UserError as error:
        log.warning("%s The picture is drawn from its beginning.", error)
        return False
    for index, place in places.items():
        yield Step(index + 1, place.count, 0, 1, before=BEFORE, state=partial(file.state, 0, index))
    return True
