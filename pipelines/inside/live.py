"""Live: where the words of a job are looked at while it is drawn, by the same listener as afterwards, at its clearest layers alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from models.diffusion_model import DiffusionModel
from pipelines.denoising.preview import columns_of
from pipelines.inside.attention import WordLayer, clearest_layers
from pipelines.inside.heat import as_bytes, heat_words
from pipelines.inside.listener import Listener
from pipelines.inside.seen_now import SeenNow
from pipelines.inside.whole import IN_PARTS
from pipelines.jobs.events import Step
from pipelines.requests.request import Drawing
from pipelines.requests.steps import steps_of

log = logging.getLogger(__name__)

BROKEN = "Something broke inside Atelier while it looked at this. Your picture is drawn as ever; the details are in the log."


class _Careful(Listener):
    """What goes wrong in it costs the heat, and never the picture that is drawn."""

    def _called(self, _: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:  # Any: what diffusers hands on
        self.attempt(lambda: super(_Careful, self)._called(_, given, named))

    def _heard(self, layer: WordLayer, query: Tensor, key: Tensor, number: int) -> None:
        self.attempt(lambda: super(_Careful, self)._heard(layer, query, key, number))

    def attempt(self, hear: Callable[[], object]) -> None:
        """Raises nothing."""
        if self.trouble:
            return
        try:
            hear()
        except Exception:
            log.exception("where a job looks could not be heard")
            self.trouble, self.heats, self.is_main = BROKEN, [], False


class LiveEyes:
    """Looks at one lent model between `open` and `close`, and tells after each step what that one looked at."""

    def __init__(self, request: Drawing, model: DiffusionModel, pictures: Callable[[], int]) -> None:
        """`pictures`: how many are drawn side by side now."""
        self._request, self._model = request, model
        self._listener = _Careful(request, clearest_layers, pictures, keeps=False)
        self._hooks = ExitStack()
        self._is_open = False
        self._next = 0

    def switch(self, wanted: bool) -> None:
        """Opens or closes the eyes, between two steps."""
        if wanted and not self._is_open:
            self._listener.begin(self._next)
            self._listener.attempt(lambda: self._hooks.enter_context(self._listener.listening(self._model)))
        elif not wanted:
            self._hooks.close()
        self._is_open = wanted

    def step(self, step: Step) -> SeenNow | None:
        """What this step looked at; None where nobody looked, or from its beginning."""
        seen = self._seen(step) if self._is_open and self._next == step.index - 1 else None
        self._next = step.index % step.count
        self._listener.at(self._next)
        return seen

    def _seen(self, step: Step) -> SeenNow | None:
        heats = self._listener.heats
        if step.count != steps_of(self._request).run or self._listener.trouble:
            return SeenNow(step.index, step.count, message=self._listener.trouble or IN_PARTS)
        if not heats or not heats[0].groups:
            return None
        maps = [heat.of(heat.groups[heat.clearest]) for heat in heats]
        words = heat_words(heats[0].words, torch.stack(maps).mean(0))
        parts = tuple(tuple(as_bytes(word) for word in each) for each in maps)
        height, width = maps[0].shape[1:]
        return SeenNow(step.index, step.count, tuple(words), parts, columns_of(len(maps)), width, height)


@contextmanager
def eyes_for(request: Drawing, model: DiffusionModel, pictures: Callable[[], int]) -> Generator[LiveEyes]:
    """Closed at the end, however that comes."""
    eyes = LiveEyes(request, model, pictures)
    try:
        yield eyes
    finally:
        eyes.switch(wanted=False)
