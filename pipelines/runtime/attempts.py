"""Attempts at a drawing: its words, its model, and the steps of it that are made."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import ExitStack, suppress
from dataclasses import replace
from typing import TypeVar

import torch

from models.diffusion_model import DiffusionModel
from models.errors import Interrupted
from models.memory.agreed import Agreed
from models.memory.device import ATTENTION as KERNELS
from models.memory.device import ATTENTIONS, THREADS, Device
from models.memory.forecast import exhausted
from pipelines.jobs.events import Picture
from pipelines.jobs.runner import Events, Watching
from pipelines.metadata.provenance import ATTENTION
from pipelines.requests.as_made import threads_here
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Drawing
from pipelines.requests.wording import of_batch
from pipelines.resolving.forecast import work_of
from pipelines.runtime.clock import timed
from pipelines.runtime.tries import Tries
from pipelines.runtime.trunks import begun
from pipelines.runtime.workshop import Workshop
from pipelines.steps.begun import Begun, Own
from pipelines.tasks.batch import DrawingTask
from pipelines.tasks.recipes import DRAWN

Setting = TypeVar("Setting")

LOOK = 0.1  # seconds between looks whether a job that waits for a setting is stopped
NAMED_BY_WORDS = ("loras", "hypernetworks", "embeddings")  # files that the words of a picture may name


class Attempts(Tries):
    """One job on its model: how far it has come, and whether it goes on in the sparing way."""

    def __init__(
        self, workshop: Workshop, request: Drawing, progress: Progress, watching: Watching | None = None, own: Own | None = None
    ) -> None:
        """`watching`: entered with each model that the job is lent."""
        super().__init__(workshop, request, progress, own)
        self._drawing = request
        self._request = of_batch(request, progress.batch)  # with the words of the batch that is being drawn
        self._watching = watching
        self._begun: Begun | None = None  # the steps that are made already, once that is known
        self._begin()

    def _begin(self) -> None:
        self._lease = ExitStack()
        self._task: DrawingTask[Drawing] | None = None
        self._recipe: Generator[Events] | None = None

    def close(self) -> None:
        """Ends the recipe and gives the model back."""
        if self._recipe:
            self._recipe.close()
        self._lease.close()
        self._begin()

    def _turn_to(self, number: int) -> None:
        """Other words begin the recipe anew where the job stands; other files are leased for it."""
        before, self._request = self._request, of_batch(self._drawing, number)
        if self._request == before:
            return
        if any(getattr(self._request, name) != getattr(before, name) for name in NAMED_BY_WORDS):
            self.close()
        elif self._recipe:
            self._recipe.close()
            self._recipe = None

    def _spare(self) -> None:
        self._workshop.spare(self._request)

    def _exhausted(self) -> str:
        machine = self._workshop.machine
        return exhausted(work_of(self._request, self._workshop.catalog, machine), machine)

    def _device(self) -> Device | None:
        return self._task.model.device if self._task else None

    def _lent(self) -> Generator[None, None, DiffusionModel]:
        """All that is needed, in memory. Loading that is interrupted begins again if the job is not stopped at the next stop."""
        while True:
            with suppress(Interrupted):
                model = self._lease.enter_context(self._workshop.lent(self._request, self._sparing))
                if self._watching:
                    self._lease.enter_context(self._watching(model))
                yield None
                return model
            self._workshop.heed()
            yield None

    def _prepared(self) -> Generator[None, None, DiffusionModel]:
        yield from self._agreed(THREADS, threads_here(self._request.threads) or None)
        yield from self._agreed(KERNELS, self._attention)
        return (yield from self._lent())

    def _agreed(self, setting: Agreed[Setting], value: Setting | None) -> Generator[None]:
        """A setting of the process holds until the model is given back. Where another device draws with another one, its job ends first."""
        while not (leave := setting.enter(value, LOOK)):
            yield None
        self._lease.callback(leave)

    def _events(self) -> Events:
        began = time.perf_counter()
        if self._begun is None:
            self._begun = yield from begun(self._workshop, self._request, self._own, self._sparing)
        if self._recipe is None or self._task is None:
            model = self._task.model if self._task else (yield from self._prepared())
            workshop = self._workshop
            if self._progress.shares and not self._request.branch:
                model = workshop.sharing.lent(model, self._request, (self._sparing, self._attention), self._progress)
                self._begun = yield from workshop.sharing.begun(workshop.steps, self._request, model, self._begun, self._sparing)
            self._task = DrawingTask(self._request, workshop.inputs, workshop, self._progress, model, workshop.go_on, self._begun)
            self._recipe = DRAWN[self._request.kind](self._task)
        lent = time.perf_counter()
        with torch.inference_mode():
            batch = next(self._recipe)
            prepared = time.perf_counter()
            yield None
            for event in timed(batch, self._request.pictures_a_batch, lent - began, prepared - lent):
                yield self._recorded(event, self._task) if isinstance(event, Picture) else event

    def _recorded(self, picture: Picture, task: DrawingTask[Drawing]) -> Picture:
        """With what was decided while it was drawn."""
        self._progress.pictures = picture.index + 1
        assert isinstance(picture.request, Drawing)
        is_usual = self._attention == ATTENTIONS[0]
        made_with = picture.made_with if is_usual else {**picture.made_with, ATTENTION: self._attention}
        made = replace(picture, request=self._workshop.origins.recorded(picture.request, task.model), made_with=made_with)
        if self._progress.shares and is_usual:
            self._workshop.sharing.remember(self._request, made, self._sparing)
        return made
