"""The listener: hears, while networks draw, how much each place of the picture looks at each word. It looks and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from models.diffusion_model import DiffusionModel
from models.patches.regions import divided_now
from pipelines.inside.attention import WordLayer, overheard, shares, word_layers
from pipelines.inside.heat import Heat, stretch_of
from pipelines.inside.said import FILLING, START, SpokenWord, spoken
from pipelines.inside.whole import IN_PARTS
from pipelines.prompts.asked import AtOnce, asked_by
from pipelines.requests.guidance import beside, holds_against, scale_at
from pipelines.requests.request import Drawing
from pipelines.requests.steps import steps_of
from pipelines.samplers import SAMPLERS

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

Layers = Callable[["UNet2DConditionModel"], list[WordLayer]]  # of a network, those that are listened to


class Listener:
    """What one drawing looked at. Its caller says which step is in work (`at`).

    Of prompts joined by AND the first one is heard, which is called for together with the negative one; of a step of several calls, all.
    Pictures of a batch may come with one call or one after another, as the device has it.
    """

    def __init__(self, request: Drawing, layers: Layers = word_layers, pictures: Callable[[], int] = lambda: 1, keeps: bool = True) -> None:
        """`pictures`: how many are drawn side by side, asked at each step. `keeps`: what was heard of all steps; else of the last alone."""
        self._request, self._layers, self._pictures, self._keeps = request, layers, pictures, keeps
        self._asked = asked_by(request).calls
        self._calls_a_step = SAMPLERS[request.sampler].calls_per_step
        self.begin(0)

    def begin(self, step: int) -> None:
        """All that was heard is forgotten."""
        self.heats: list[Heat] = []  # of each picture of the batch
        self.trouble = ""  # why nothing is heard
        self.is_main = False  # the call in work is that which is heard
        self._model: DiffusionModel | None = None
        self._said: dict[str, tuple[SpokenWord, ...]] = {}
        self.at(step)

    def at(self, step: int) -> None:
        """This step comes next, counted from 0 at the first one that runs."""
        self.step, self._made = step, 0  # calls for all pictures that are made in it
        self._count = self._seen = self._alike = 0  # pictures; those that have had the call in work; those that have it now
        self._further = 0  # calls of the same look that are still to come
        if not self._keeps:
            self.heats = []

    @contextmanager
    def listening(self, model: DiffusionModel) -> Generator[None]:
        """Within the block it hears the networks of the model."""
        self._model = model
        with ExitStack() as stack:
            for network in filter(None, (model.unet, model.refiner.unet if model.refiner else None)):
                stack.callback(network.register_forward_pre_hook(self._called, with_kwargs=True).remove)
                stack.callback(network.register_forward_hook(self._answered).remove)
                stack.enter_context(overheard(self._layers(network), self._heard))
            yield

    def _called(self, _: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:  # Any: what diffusers hands on
        latents, context = given[0], given[2]
        self._count = self._count or self._pictures()
        self.is_main = not self._further and not self.trouble
        if not self.is_main:
            self._further = max(0, self._further - 1)
            return
        self._alike, self._further = self._reading_alike(context), self._calls_beside()
        if latents.shape[0] not in (self._alike, 2 * self._alike) or (self.heats and latents.shape[2:] != self.heats[0].latents):
            self.trouble, self.is_main = IN_PARTS, False
        elif not self.heats:
            self._open(latents, context)

    def _reading_alike(self, context: Tensor) -> int:
        """How many samples at the end read the same words: those of the positive branch, one a picture."""
        count = 1
        while count < min(self._count - self._seen, len(context)) and bool((context[-1 - count] == context[-1]).all()):
            count += 1
        return count

    def _open(self, latents: Tensor, context: Tensor) -> None:
        size = (latents.shape[2], latents.shape[3])
        said = [word for text in self._texts() for word in self._words(text, context.shape[1])]
        words = {(word.text, word.number): word for word in said}
        ordered = sorted(words.values(), key=lambda word: word.text in (START, FILLING))
        stretch = stretch_of(len(ordered), max(1, steps_of(self._request).run), size) if self._keeps else 1
        self.heats = [Heat(size, ordered, stretch) for _ in range(self._count)]

    def _texts(self) -> Iterable[str]:
        return dict.fromkeys(text for call in self._asked for text in (call.prompts[0].text, *call.regions))

    def _words(self, text: str, count: int) -> tuple[SpokenWord, ...]:
        assert self._model
        if text not in self._said:
            self._said[text] = spoken(self._model, text, count)
        return self._said[text]

    def _calls_beside(self) -> int:
        """Further calls of one look at the latents: prompts that AND joins, an empty one, a third look, and all of them once more with the
        LoRAs of each region that has some.
        """
        request, joined = self._request, len(self._said_now().prompts)
        scale = scale_at(request, self.step, max(1, steps_of(request).run))
        against = joined > 1 or holds_against(request, scale)
        return (1 + len(request.dressed)) * (joined + beside(request, scale, joined) - against) - 1

    @property
    def further(self) -> int:
        """Calls of the look that is made which are still to come."""
        return self._further

    @property
    def said_now(self) -> AtOnce:
        """What is said at the call in work."""
        return self._said_now()

    def _said_now(self) -> AtOnce:
        call = self.step * self._calls_a_step + min(self._made, self._calls_a_step - 1)
        return self._asked[min(call, len(self._asked) - 1)]

    def _heard(self, layer: WordLayer, query: Tensor, key: Tensor, number: int) -> None:
        """Words of regions, and those of the prompt beside them, are looked at as much as they count at a place."""
        if not self.is_main:
            return
        call, divided = self._said_now(), divided_now(layer.layer)
        said = self._words((call.prompts[0].text, *call.regions)[number], key.shape[1])
        counts = divided.shares(query.shape[1])[number] if divided else None
        for back, heat in zip(range(-self._alike, 0), self.heats[self._seen : self._seen + self._alike], strict=True):
            asked, offered = (part[len(part) + back].unsqueeze(0) for part in (query, key))
            given = shares(asked, offered, layer.layer.heads, heat.belong(said, key.shape[1], key))
            if counts is not None:
                given = given * counts[back if len(counts) > 1 else 0].to(given)
            heat.add(self.step, layer.part, given, further=number > 0)

    def _answered(self, _: nn.Module, given: object, answer: object) -> None:
        if not self.is_main:
            return
        self._seen += self._alike
        if self._seen >= self._count:
            self._made, self._seen = self._made + 1, 0
