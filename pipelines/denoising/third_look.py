"""A third look: the network is asked once more with an eye shut, or of a picture that is blurred where it has looked, and guidance leads
away from its answer.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.patches.perturbed import PERTURBED, middle, rows_of
from pipelines.denoising.pushes import Meaning
from pipelines.requests.guidance import SAG

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    from pipelines.denoising.guidance import Answers

Ask = Callable[[Tensor, bool], Tensor]  # latents as the network reads them, whether without the prompt -> (n, channels, h, w)
KERNEL, SIGMA = 9, 1.0  # latents: how far it blurs


@dataclass
class Heard:
    """What the self-attention of the middle first asked, and was told by: queries and keys, (rows, places, channels)."""

    heads: int = 1
    said: dict[str, Tensor] = field(default_factory=dict[str, Tensor])

    def looked_at(self, first: int, end: int) -> Tensor:
        """How much each place was looked at in these rows, (rows, places): 1 in the mean."""
        queries, keys = (self.said[name][first:end].unflatten(-1, (self.heads, -1)).transpose(1, 2) for name in ("to_q", "to_k"))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # torch
        shares = (queries.float() @ keys.float().transpose(2, 3) / queries.shape[-1] ** 0.5).softmax(-1)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return shares.mean(1).sum(1)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


@contextmanager
def listening(look: str, unet: UNet2DConditionModel) -> Generator[Heard]:
    """Hears the calls within the block, where the look needs it."""
    heard, layers = Heard(), middle(unet)[:1] if look == SAG else []
    with ExitStack() as stack:
        for layer in layers:
            heard.heads = layer.heads
            for name, part in (("to_q", layer.to_q), ("to_k", layer.to_k)):
                stack.callback(part.register_forward_hook(partial(_keep, heard, name)).remove)
        yield heard


def _keep(heard: Heard, name: str, _: nn.Module, given: object, answer: Tensor) -> None:
    heard.said.setdefault(name, answer)  # of the first call: further ones are of further prompts


def looked(look: str, unet: UNet2DConditionModel, ask: Ask, answers: Answers, meaning: Meaning, heard: Heard, blur: float) -> Tensor | None:
    """What the network answers, or None where it is not asked. `blur`: how far SEG blurs, in places; 0: without end."""
    if look in PERTURBED:
        height, width = meaning.x.shape[2:]
        with PERTURBED[look](unet, blur, height / width):
            return ask(meaning.given, False)
    if look != SAG or not heard.said:
        return None
    return ask(meaning.prediction.given(_blurred(answers, meaning, heard), meaning.level), answers.negative is not None)


def _blurred(answers: Answers, meaning: Meaning, heard: Heard) -> Tensor:
    """The noisy latents with their picture blurred where it was looked at more than in the mean: Hong et al. (2023), arXiv:2210.00939,
    self-attention guidance. Both is taken of the answer without the prompt, where there is one.
    """
    clean = meaning.clean(answers.base)
    mask = _mask(heard.looked_at(0, len(clean)), clean)
    seen = torch.lerp(clean, blurred(clean), mask)
    return meaning.x + (seen - clean)


def _mask(looked_at: Tensor, like: Tensor) -> Tensor:
    """(n, 1, h, w): 1 where it was looked at, at the latents' size."""
    height, width = like.shape[2:]
    rows = rows_of(looked_at.shape[1], height / width)
    places = (looked_at > 1).to(like).unflatten(1, (1, rows, -1))  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return functional.interpolate(places, (height, width))  # pyright: ignore[reportUnknownArgumentType]


def blurred(values: Tensor) -> Tensor:
    """By a Gaussian that the edges mirror, (n, channels, h, w)."""
    place = torch.arange(KERNEL) - KERNEL // 2
    weight = torch.exp(-0.5 * (place / SIGMA) ** 2)
    line = (weight / weight.sum()).to(values)
    kernel = torch.outer(line, line).expand(values.shape[1], 1, -1, -1)
    around = min(KERNEL // 2, *(side - 1 for side in values.shape[2:]))
    inner = KERNEL // 2 - around  # of a picture that is smaller than the kernel
    padded = functional.pad(values, (around,) * 4, "reflect")
    padded = functional.pad(padded, (inner,) * 4, "replicate") if inner else padded
    return functional.conv2d(padded, kernel, groups=values.shape[1])
