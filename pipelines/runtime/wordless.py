"""What is drawn without words: its recipe is lent what it needs, phase by phase, and its pictures are told what was decided meanwhile."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import closing
from dataclasses import replace

import torch
from PIL import Image

from models.memory.device import ATTENTIONS, Device, attention, threads
from pipelines.jobs.events import Picture
from pipelines.jobs.runner import Events
from pipelines.metadata.provenance import ATTENTION
from pipelines.requests.as_made import threads_here
from pipelines.requests.remaining import Progress
from pipelines.requests.request import Wordless
from pipelines.runtime.clock import timed
from pipelines.runtime.tries import Tries
from pipelines.runtime.workshop import Workshop
from pipelines.steps.begun import Begun, Own
from pipelines.steps.state import Numbers
from pipelines.tasks.recipes import DECODED_AGAIN, WORDLESS
from pipelines.tasks.wordless import WordlessTask


def frames_of(
    workshop: Workshop, request: Wordless, latents: Numbers, made_with: Mapping[str, str]
) -> Generator[None, None, tuple[Image.Image, ...]]:
    """The frames that kept latents (frames, channels, h, w) become, as they did when they were first decoded."""
    kernels = made_with.get(ATTENTION, "")
    with threads(threads_here(request.threads)), attention(kernels if kernels in ATTENTIONS else ATTENTIONS[0]), torch.inference_mode():
        return (yield from DECODED_AGAIN[request.kind](request, torch.as_tensor(latents), workshop))


class WordlessTries(Tries):
    """One job, whose recipe begins anew with each try."""

    def __init__(self, workshop: Workshop, request: Wordless, progress: Progress, own: Own | None = None) -> None:
        super().__init__(workshop, request, progress, own)
        self._request = request
        self._made_with = workshop.origins.of_model(request)

    def close(self) -> None:
        """Each try has given back what it was lent when it ends."""

    def _turn_to(self, number: int) -> None:
        """All batches are asked for alike."""

    def _spare(self) -> None:
        self._workshop.make_room()

    def _exhausted(self) -> str:
        what = "There was not enough memory for this, not even in the sparing way."
        return f"{what} Try {self._request.lighter}, or close other programs that use this memory."

    def _device(self) -> Device | None:
        return self._workshop.device

    def _events(self) -> Events:
        workshop, begun = self._workshop, Begun(self._own)
        task = WordlessTask(self._request, workshop.inputs, workshop, self._progress, workshop.go_on, begun, self._sparing)
        with (
            closing(WORDLESS[self._request.kind](task)) as recipe,
            threads(threads_here(self._request.threads)),
            attention(self._attention),
            torch.inference_mode(),
        ):
            for event in timed(next(recipe), self._request.pictures_a_batch):
                yield self._recorded(event) if isinstance(event, Picture) else event

    def _recorded(self, picture: Picture) -> Picture:
        """With what was decided while it was drawn."""
        self._progress.pictures = picture.index + 1
        made_with = {**self._made_with, **picture.made_with}
        if self._attention != ATTENTIONS[0]:
            made_with[ATTENTION] = self._attention
        return replace(picture, request=self._workshop.origins.recorded_wordless(picture.request), made_with=made_with)
