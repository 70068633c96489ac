"""Guidance: the one hook at which what a network answers with the prompt and without it becomes one prediction.

`Guidance.scale` says how strong it is at a step, `asks` whether the negative prompt is asked at all, `combine` makes one of the answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from models.families.prediction import Prediction
from pipelines.requests.guidance import holds_against, scale_at
from pipelines.requests.request import Drawing


@dataclass(frozen=True)
class Meaning:
    """What outputs of the network mean for noisy latents x: all (n, channels, h, w), but for `level`, sigma as (n, 1, 1, 1)."""

    prediction: Prediction
    x: Tensor
    level: Tensor

    def clean(self, output: Tensor) -> Tensor:
        """The clean latents."""
        return self.prediction.clean(self.x, output, self.level)


@dataclass(frozen=True)
class Answers:
    """What the network has answered at one call, for each branch that was asked: (n, channels, h, w) each."""

    pushes: Sequence[tuple[float, Tensor]]  # of each prompt what it weighs among those that are joined, and the answer; at least one
    negative: Tensor | None = None  # None: it was not asked

    @property
    def positive(self) -> Tensor:
        return self.pushes[0][1]


class Guiding(Protocol):
    """Whatever decides what is asked of a network and what is made of its answers. How strong it is, is its own to understand."""

    # Any: a number, none, or a tensor over the frames of a clip
    def scale(self, index: int, run: int) -> Any:
        """How strong at step `index`, from 0, of the `run` that are made."""
        ...

    def asks(self, scale: Any) -> bool:  # Any: as above
        """Whether the negative prompt is asked."""
        ...

    def combine(self, answers: Answers, scale: Any, meaning: Meaning) -> Tensor:  # Any: as above
        """One output of the network, of its answers."""
        ...


class Guidance:
    """The guidance of one request: classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598), as strong as it says at each step.

    A step is told by its number, not by its noise level, which a device would have to be waited for.
    """

    def __init__(self, request: Drawing) -> None:
        self._request = request

    def scale(self, index: int, run: int) -> float | None:
        """At step `index`, from 0, of the `run` that are made; None where it is off."""
        return scale_at(self._request, index, run)

    def asks(self, scale: float | None) -> bool:
        """Whether the negative prompt is asked. Prompts that are joined push away from it, so there it always is."""
        return holds_against(self._request, scale)

    def combine(self, answers: Answers, scale: float | None, meaning: Meaning) -> Tensor:
        """One output of the network, of its answers. Guidance is linear, so it acts on the output as it would on the clean latents."""
        if answers.negative is None:
            return answers.positive
        return guided(answers.negative, answers.pushes, 1.0 if scale is None else scale, self._request.guidance_rescale)


def guided(negative: Tensor, pushes: Sequence[tuple[float, Tensor]], scale: float, rescale: float) -> Tensor:
    """With guidance rescale the contrast goes back towards that of the prompt alone: Lin et al. 2023, arXiv:2305.08891, 3.4.

    Prompts that are joined each push away from the negative one by their weight (Liu et al. 2022, arXiv:2206.01714, composable diffusion).
    """
    if len(pushes) == 1:
        positive = pushes[0][1]
        pushed = negative + scale * (positive - negative)
    else:
        push = sum((weight * (positive - negative) for weight, positive in pushes), torch.zeros_like(negative))
        positive, pushed = negative + push, negative + scale * push
    if not rescale:
        return pushed
    dimensions = tuple(range(1, pushed.ndim))  # each picture by itself
    contrast = positive.std(dimensions, keepdim=True) / pushed.std(dimensions, keepdim=True)
    return pushed * (rescale * contrast + 1 - rescale)
