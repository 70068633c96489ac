"""Batches: what a recipe is given. A task is a whole job, with everything that is lent for it; its batches are made one after another.

A recipe takes the task and yields the events of each of its batches. A drawing has a model as well; nothing else needs one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from pipelines.images.store import Inputs
from pipelines.jobs.events import Picture
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Drawing, Request
from pipelines.steps.begun import NOT_BEGUN, Begun

if TYPE_CHECKING:  # what is made without a model imports no torch
    from PIL import Image
    from torch import Tensor

    from models.diffusion_model import DiffusionModel
    from pipelines.control.view import Lender
    from pipelines.denoising.vae_decode import Decoded

Asked = TypeVar("Asked", bound=Request, covariant=True)
Drawn = TypeVar("Drawn", bound=Drawing, covariant=True)


@dataclass(frozen=True)
class Task(Generic[Asked]):
    """One job. `inputs`: the pictures that it names. `progress`: where it stands, if a try before has come to nothing."""

    request: Asked
    inputs: Inputs
    lender: Lender
    progress: Progress

    def batches(self) -> Iterator[Batch[Asked]]:
        """From where the job stands. What each still lacks is read when it is asked for."""
        for number, first, singles in self._due():
            yield Batch(self, number, first, singles)

    def _due(self) -> Iterator[tuple[int, int, Sequence[Asked]]]:
        """(number of the batch, index of its first picture that is due, the requests of these pictures) each."""
        size, number = self.request.pictures_a_batch, self.progress.batch
        while number < self.request.batch_total:
            end = (number + 1) * size
            first = max(number * size, min(self.progress.pictures, end))
            yield number, first, [self.request.single(index) for index in range(first, end)]
            number = max(number + 1, self.progress.batch)


@dataclass(frozen=True)
class DrawingTask(Task[Drawn]):
    """One job that is drawn with a model. `go_on` is asked where one step takes long; it raises `Interrupted` when the job shall end.

    `begun`: the steps that are made already.
    """

    model: DiffusionModel
    go_on: Callable[[], None] = lambda: None
    begun: Begun = NOT_BEGUN

    def batches(self) -> Iterator[DrawingBatch[Drawn]]:
        for number, first, singles in self._due():
            yield DrawingBatch(self, number, first, singles)


@dataclass(frozen=True)
class Batch(Generic[Asked]):
    """The pictures of one batch that are to be made: all of them, or those that a try before has left."""

    task: Task[Asked]
    number: int  # of the batch, within the job
    first: int  # index of the first picture, within the job
    singles: Sequence[Asked]  # what each picture is alone, with its own seed

    @property
    def request(self) -> Asked:
        return self.task.request

    @property
    def inputs(self) -> Inputs:
        return self.task.inputs

    def indexed(self) -> Iterator[tuple[int, Asked]]:
        """(index within the job, request of the picture alone) each."""
        return enumerate(self.singles, self.first)

    def picture(
        self,
        image: Image.Image,
        index: int,
        made_with: Mapping[str, str],
        single: Request | None = None,
        frames: Sequence[Image.Image] = (),
        latents: Tensor | None = None,
    ) -> Picture:
        """A finished picture. `single`: its request, where something was decided while it was made. `frames`: of one that moves, all, and
        the `latents` that they were decoded from, (frames, channels, h, w).
        """
        single = single or self.singles[index - self.first]
        kept = None if latents is None or not frames else latents.float().cpu().numpy()
        return Picture(image, single, dict(made_with), index, self.request.picture_count, tuple(frames), kept)


@dataclass(frozen=True)
class DrawingBatch(Batch[Drawn]):
    task: DrawingTask[Drawn]

    @property
    def model(self) -> DiffusionModel:
        return self.task.model

    def returned(self, image: Image.Image, index: int) -> Picture:
        """A picture that no step was run for."""
        return self.picture(image, index, self.model.made_with)

    def drawn(self, decoded: Decoded, index: int) -> Picture:
        """With the ways in which the VAE was run, in its request and for others to read."""
        single = decoded.recorded(self.singles[index - self.first])
        return self.picture(decoded.image, index, {**self.model.made_with, **decoded.notes}, single)
