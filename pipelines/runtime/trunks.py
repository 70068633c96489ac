"""Trunks: the steps that a branch goes on from. They were kept, or they are drawn once more, as they were drawn then."""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import partial

import torch

from models.errors import UserError
from models.library.catalog import Catalog
from models.memory.device import threads
from pipelines.jobs.events import Event, Picture, Step
from pipelines.requests.as_made import threads_here
from pipelines.requests.branch import Branch, branch_of
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Drawing
from pipelines.resolving.rebind import rebind
from pipelines.resolving.resolve import resolve
from pipelines.runtime.workshop import Workshop
from pipelines.steps.begun import Begun, Own
from pipelines.steps.content import content_of, models_of
from pipelines.steps.state import StepState
from pipelines.steps.store import StepFile
from pipelines.tasks.batch import DrawingTask
from pipelines.tasks.recipes import DRAWN

log = logging.getLogger(__name__)

BEFORE = "Steps before the branch"
GONE = (
    "The steps that this branch goes on from are not kept any more, and to draw them once more “{}” is needed, which is not in the models "
    "folders as it was. Put it there, or draw without the branch."
)


@dataclass
class Steps:
    """The steps of a trunk that are known: the newest of each leg, up to where the branch begins."""

    wanted: Branch
    known: dict[int, StepState] = field(default_factory=dict[int, StepState])

    def hear(self, state: StepState) -> None:
        if state.leg != self.wanted.leg or state.index < self.wanted.step:
            self.known[state.leg] = state

    @property
    def is_enough(self) -> bool:
        """A branch that is shown as it was needs the runs that come after as well."""
        here = self.known.get(self.wanted.leg)
        return here is not None and here.index == self.wanted.step - 1 and not self.wanted.shown


def begun(workshop: Workshop, request: Drawing, own: Own, sparing: bool) -> Generator[Event | None, None, Begun]:
    """What is made already of this request's pictures. Tells the steps of a trunk as they come.

    Raises `UserError` where they are not kept and cannot be drawn once more.
    """
    use = branch_of(request)
    if use is None or not (found := Begun(own, use)).needs_trunk:
        return Begun(own, use)
    steps = yield from _steps(workshop, use, sparing)
    return replace(found, trunk=steps.known.get)


def _steps(workshop: Workshop, use: Branch, sparing: bool) -> Generator[Event | None, None, Steps]:
    """A branch before that step of a branch goes on from what that one branches from."""
    assert use.of is not None
    below = branch_of(use.of)
    if below and (use.leg, use.step) <= (below.leg, below.step) and not use.shown and not below.shown:
        return (yield from _steps(workshop, replace(below, leg=use.leg, step=use.step), sparing))
    kept = workshop.steps.of_content(content_of(use.of, models_of(use)))
    if kept and (steps := _kept(kept, use)):
        yield from _told(kept, use)
        return steps
    return (yield from _drawn(workshop, use, sparing))


def _kept(file: StepFile, use: Branch) -> Steps | None:
    """None where the file lacks a step, or cannot be read: then they are drawn once more."""
    steps = Steps(use)
    try:
        for leg, index in sorted(file.places):
            if (leg == use.leg and index == use.step - 1) or (file.places[leg, index].count == index + 1 and (leg < use.leg or use.shown)):
                steps.hear(file.state(leg, index))
    except UserError as error:
        log.warning("%s They are drawn once more.", error)
        return None
    here = steps.known.get(use.leg)
    complete = here is not None and here.index == use.step - 1 and all(leg in steps.known for leg in range(use.leg))
    return steps if complete else None


def _told(file: StepFile, use: Branch) -> Generator[Event]:
    """So that the branch has all its steps with it."""
    for leg, index in sorted(file.places):
        if (leg, index) < (use.leg, use.step):
            count = file.places[leg, index].count
            yield Step(index + 1, count, 0, 1, before=BEFORE, state=partial(file.state, leg, index))


def _drawn(workshop: Workshop, use: Branch, sparing: bool) -> Generator[Event | None, None, Steps]:
    trunk, steps = as_it_was(use, workshop.catalog), Steps(use)
    below = yield from begun(workshop, trunk, lambda picture: None, sparing)
    with ExitStack() as lease:
        lease.enter_context(threads(threads_here(trunk.threads)))
        yield Step(0, use.step, 0, 1, before=BEFORE)
        model = lease.enter_context(workshop.lent(trunk, sparing))
        yield None
        task = DrawingTask(trunk, workshop.inputs, workshop, Progress(), model, workshop.go_on, below)
        recipe = DRAWN[trunk.kind](task)
        lease.callback(recipe.close)
        with torch.inference_mode():
            for event in next(recipe):
                if isinstance(event, Picture):
                    continue
                yield _before(event, steps)
                if steps.is_enough:
                    break
    return steps


def _before(event: Step | None, steps: Steps) -> Step | None:
    if event is None or event.state is None:
        return replace(event, before=BEFORE) if event else None
    state = event.state()
    steps.hear(state)
    return replace(event, before=BEFORE, state=lambda: state)


def as_it_was(use: Branch, catalog: Catalog) -> Drawing:
    """The trunk in terms of this library. Raises `UserError` where a model that drew it is not here."""
    assert use.of is not None
    found = rebind(use.of, models_of(use), catalog)
    for binding in found.bindings:
        if binding.how not in ("hash", "name"):
            raise UserError(GONE.format(binding.name or binding.place))
    trunk = resolve(found.request, catalog)
    assert isinstance(trunk, Drawing)
    return trunk
