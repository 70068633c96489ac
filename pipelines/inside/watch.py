"""The watch: what the UNet is given and answers at each step of a drawing, and what its layers make of it. It looks and changes nothing."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, cast

from torch import Tensor, nn
from torch.nn import functional

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from pipelines.denoising.guidance import Answers
from pipelines.inside.heat import Heat, kept_size
from pipelines.inside.listener import Listener
from pipelines.requests.branch import branch_of
from pipelines.requests.request import Drawing


@dataclass(frozen=True)
class Block:
    """A block of the UNet, as it answered: where it stands, its shape, and how strong it was at each place."""

    name: str
    shape: tuple[int, ...]  # of one sample: channels, height, width
    strength: Tensor  # (height, width), float32


@dataclass
class StepSeen:
    """The first call of the network in one step. Latents are those of one picture, (1, 4, h, w), in the host's memory, float32."""

    timestep: float
    given: Tensor  # x / sqrt(sigma^2 + 1)
    negative: Tensor | None = None  # what the network answered without the prompt; None where there was no guidance
    positive: Tensor | None = None
    weights: tuple[float, ...] = (1.0,)  # of the prompts that are said at once
    with_empty: bool = False  # an empty prompt was asked as well
    most: int = 0  # further calls of the look; none where regions have LoRAs of their own, whose answers count in places
    further: list[Tensor] = field(default_factory=list[Tensor])  # their answers: prompts that are joined, an empty one, a third look
    context: tuple[int, ...] = ()  # shape of the text vectors
    blocks: list[Block] = field(default_factory=list[Block])

    @property
    def answers(self) -> Answers:
        """As guidance combines them."""
        assert self.positive is not None
        others, rest = self.further[: len(self.weights) - 1], self.further[len(self.weights) - 1 :]
        pushes = list(zip(self.weights, (self.positive, *others), strict=False))
        return Answers(pushes, self.negative, rest[0] if self.with_empty else None, rest[-1] if len(rest) > self.with_empty else None)


class Watch:
    """What was seen of one drawing. Its caller tells it each finished step."""

    def __init__(self, request: Drawing) -> None:
        self.request = request
        self._listener = Listener(request)
        self.goes_on = False  # what was seen before it gave way stays
        self._begin()

    def _begin(self) -> None:
        self.model: DiffusionModel | None = None
        self.steps: dict[int, StepSeen] = {}  # by their numbers, from 0; a branch has those alone that it made itself
        use = branch_of(self.request)
        self._listener.begin(use.step if use else 0)

    @property
    def heat(self) -> Heat | None:
        """What its words were looked at from; None before the first call."""
        return self._listener.heats[-1] if self._listener.heats else None

    @contextmanager
    def watching(self, model: DiffusionModel) -> Generator[None]:
        """Within the block the networks of the model are watched. What was seen in a try that came to nothing is forgotten."""
        if not self.goes_on:
            self._begin()
        self.model = model
        with ExitStack() as stack:
            stack.enter_context(self._listener.listening(model))  # first: it says which call is the one that counts
            for network in filter(None, (model.unet, model.refiner.unet if model.refiner else None)):
                stack.callback(network.register_forward_pre_hook(self._called, with_kwargs=True).remove)
                stack.callback(network.register_forward_hook(self._answered).remove)
                for name, block in _blocks(network):
                    stack.callback(block.register_forward_hook(partial(self._passed, name)).remove)
            yield

    def made(self, number: int) -> None:
        """So many steps are made, those before a branch among them."""
        self._listener.at(number)

    # ---- what the networks say ----------------------------------------------------------------------------------------------

    def _called(self, _: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:  # Any: what diffusers hands on
        if self._listener.trouble:
            raise UserError(self._listener.trouble)
        latents, timestep, context = (given[index] for index in range(3))
        if self._listener.is_main and self._listener.step not in self.steps:
            read = latents[-1:, :4].detach().float().cpu()
            said, further = self._listener.said_now, 0 if self.request.dressed else self._listener.further
            weights = tuple(each.weight for each in said.prompts)
            seen = StepSeen(float(timestep.reshape(-1)[0]), read, None, None, weights, said.empty and latents.shape[0] > 1, further)
            self.steps[self._listener.step] = replace(seen, context=tuple(context.shape))

    def _passed(self, name: str, _: nn.Module, given: object, answer: Any) -> None:  # Any: as above
        features: object = cast("tuple[object, ...]", answer)[0] if isinstance(answer, tuple) else answer
        seen = self.steps.get(self._listener.step) if self._listener.is_main else None
        if seen is None or seen.positive is not None or not isinstance(features, Tensor) or features.ndim != 4:
            return
        strength = features[-1].detach().float().abs().mean(0)
        small = functional.adaptive_avg_pool2d(strength[None, None], kept_size((strength.shape[0], strength.shape[1])))[0, 0]
        seen.blocks.append(Block(name, tuple(features.shape[1:]), small.cpu()))

    def _answered(self, _: nn.Module, given: object, answer: Any) -> None:  # Any: as above
        seen = self.steps.get(self._listener.step)
        if seen and not self._listener.is_main and len(seen.further) < seen.most:
            seen.further.append(answer[0].detach().float().cpu())
        if self._listener.is_main and seen and seen.positive is None:
            output = answer[0].detach().float().cpu()
            seen.positive, seen.negative = output[-1:], output[:1] if len(output) > 1 else None


def _blocks(unet: Any) -> Iterable[tuple[str, nn.Module]]:  # Any: diffusers names its blocks as modules of any kind
    yield "Entry", unet.conv_in
    for number, block in enumerate(unet.down_blocks):
        yield f"Down {number + 1}", block
    if unet.mid_block is not None:
        yield "Middle", unet.mid_block
    for number, block in enumerate(unet.up_blocks):
        yield f"Up {number + 1}", block
