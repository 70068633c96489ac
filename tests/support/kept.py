"""Steps that are kept while a test draws, and branches of what it drew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from pipelines.jobs.events import Picture, Step
from pipelines.requests.branch import Branch
from pipelines.requests.request import Drawing, Request
from pipelines.runtime.runner import ModelRunner
from pipelines.steps.content import content_of, told_of
from pipelines.steps.store import KeptSteps, StepFile

JOB = "job"
Drawn = TypeVar("Drawn", bound=Drawing)


@dataclass
class Drawings:
    """What comes of requests, with their steps kept as a studio keeps them."""

    runner: ModelRunner
    steps_made: list[tuple[int, int]] = field(default_factory=list)  # leg and index, of the last picture alone
    _picture: int = -1
    before: list[Step] = field(default_factory=list)  # that went before it

    @property
    def kept(self) -> KeptSteps:
        return self.runner.steps

    def of(self, request: Request, keep: bool = True) -> list[Picture]:
        self.steps_made, self.before, self._picture = [], [], -1
        return [event for event in self.events(request, keep) if isinstance(event, Picture)]

    def events(self, request: Request, keep: bool = True) -> Iterator[Step | Picture]:
        with closing(self.runner.batches(request)) as batches:
            for batch in batches:
                for event in batch:
                    if event is not None:
                        self._hear(event, keep)
                        yield event

    def _hear(self, event: Step | Picture, keep: bool) -> None:
        if isinstance(event, Picture):
            assert isinstance(event.request, Drawing)
            content = content_of(event.request, event.made_with) if keep else ""
            self.kept.finish(JOB, event.index, f"{event.request.seed}-{event.index}", content)
            return
        if event.before:
            self.before.append(event)
        if event.state:
            state = event.state()
            if not event.before:
                fresh = self._picture != state.pictures[-1]
                self._picture = state.pictures[-1]
                self.steps_made = [*([] if fresh else self.steps_made), (state.leg, state.index)]
            if keep:
                self.kept.add(JOB, "", state)

    def kept_of(self, picture: Picture) -> StepFile:
        assert isinstance(picture.request, Drawing)
        file = self.kept.of_content(content_of(picture.request, picture.made_with))
        assert file
        return file

    def forget(self) -> None:
        for file in self.kept.folder.glob("*"):
            file.unlink()


def branched(picture: Picture, step: int, leg: int = 0, **changes: Any) -> Drawing:
    """The picture's own request, with changes, from there on."""
    trunk = picture.request
    assert isinstance(trunk, Drawing)
    use = Branch(of=trunk, step=step, leg=leg, shown=changes.pop("shown", False), made_with=json.dumps(told_of(picture.made_with)))
    return replace(trunk, branch=(use,), as_made="", **changes)


def runner_with(runner: ModelRunner, folder: Path, budget: int = 10**9) -> ModelRunner:
    runner.steps = KeptSteps(folder, budget)
    return runner
