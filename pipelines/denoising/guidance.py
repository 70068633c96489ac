"""Guidance: the one hook at which what a network answers with the prompt and without it becomes one prediction.

`Guidance.scale` says how strong it is at a step, `asks` whether the negative prompt is asked at all, `combine` makes one of the answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from pipelines.denoising.pushes import Meaning, gathered, nearest, perpendicular, projected, rescaled, with_contrast_of
from pipelines.requests.guidance import NO_LOOK, SAG, holds_against, looks_again, scale_at
from pipelines.requests.request import Drawing


@dataclass(frozen=True)
class Answers:
    """What the network has answered at one call, for each branch that was asked: (n, channels, h, w) each."""

    pushes: Sequence[tuple[float, Tensor]]  # of each prompt what it weighs among those that are joined, and the answer; at least one
    negative: Tensor | None = None  # None: it was not asked
    empty: Tensor | None = None  # to an empty negative prompt, where that was asked as well
    looked: Tensor | None = None  # of a third look, where there was one
    gathered: Tensor | None = None  # the push in clean latents with those before it, where guidance has momentum

    @property
    def positive(self) -> Tensor:
        return self.pushes[0][1]

    @property
    def base(self) -> Tensor:
        """What is seen without the prompt, or the prompt's where it was alone."""
        return self.positive if self.negative is None else self.negative

    def push(self, base: Tensor) -> Tensor:
        """From `base` to the prompts. Those that are joined each push by their weight: Liu et al. (2022), arXiv:2206.01714."""
        if len(self.pushes) == 1:
            return self.positive - base
        return sum((weight * (positive - base) for weight, positive in self.pushes), torch.zeros_like(base))


class Guiding(Protocol):
    """Whatever decides what is asked of a network and what is made of its answers. How strong it is, is its own to understand."""

    # Any: a number, none, or a tensor over the frames of a clip
    def scale(self, index: int, run: int) -> Any:
        """How strong at step `index`, from 0, of the `run` that are made."""
        ...

    def asks(self, scale: Any) -> bool:  # Any: as above
        """Whether the negative prompt is asked."""
        ...

    def look(self, scale: Any) -> str:  # Any: as above
        """Which third look there is."""
        ...

    @property
    def blur(self) -> float:
        """Of such a look, in places; 0: without end."""
        ...

    def gathered(self, answers: Answers, scale: Any, meaning: Meaning, before: Tensor | None) -> Tensor | None:  # Any: as above
        """What is kept of the push for the steps to come; None: nothing."""
        ...

    def combine(self, answers: Answers, scale: Any, meaning: Meaning) -> Tensor:  # Any: as above
        """One output of the network, of its answers."""
        ...


class SteadyGuidance:
    """Guidance that is the same at every step. Where it is 1 everywhere the network is asked with its condition alone."""

    def __init__(self, scale: Tensor) -> None:
        """`scale`: one number, or a tensor that spreads over the answers, as over the frames of a clip."""
        self._scale, self._acts = scale, bool((scale != 1).any())

    def scale(self, index: int, run: int) -> Tensor:
        return self._scale

    def asks(self, scale: Tensor) -> bool:
        return self._acts

    def look(self, scale: Tensor) -> str:
        return NO_LOOK

    @property
    def blur(self) -> float:
        return 0.0

    def gathered(self, answers: Answers, scale: Tensor, meaning: Meaning, before: Tensor | None) -> None:
        return None

    def combine(self, answers: Answers, scale: Tensor, meaning: Meaning) -> Tensor:
        if answers.negative is None:
            return answers.positive
        return answers.negative + scale.to(answers.negative) * (answers.positive - answers.negative)


class Guidance:
    """The guidance of one request: classifier-free guidance (Ho & Salimans 2022, arXiv:2207.12598), as strong as it says at each step.

    What else may be done with the answers stands in `pipelines.denoising.pushes`, a function for each, with its paper. A step is told by
    its number, not by its noise level, which a device would have to be waited for.
    """

    def __init__(self, request: Drawing) -> None:
        self._request = request

    def scale(self, index: int, run: int) -> float | None:
        """At step `index`, from 0, of the `run` that are made; None where it is off."""
        return scale_at(self._request, index, run)

    def asks(self, scale: float | None) -> bool:
        """Whether the negative prompt is asked. Prompts that are joined push away from it, so there it always is."""
        return holds_against(self._request, scale)

    def look(self, scale: float | None) -> str:
        """Which third look there is at such a step."""
        return self._request.third_look if looks_again(self._request, scale) else NO_LOOK

    @property
    def blur(self) -> float:
        return self._request.look_blur

    def gathered(self, answers: Answers, scale: float | None, meaning: Meaning, before: Tensor | None) -> Tensor | None:
        """The push of this step with those before it, in clean latents; None where there is no momentum, or nothing is pushed."""
        if not self._request.momentum or answers.negative is None or scale is None:
            return None
        return gathered(self._push(answers, answers.negative)[1], before, self._request.momentum, meaning)

    def combine(self, answers: Answers, scale: float | None, meaning: Meaning) -> Tensor:
        """One output of the network, of its answers. Guidance is linear, so it acts on the output as it would on the clean latents."""
        request = self._request
        positive = combined = answers.positive
        if answers.negative is not None:
            positive, combined = self._pushed(answers, answers.negative, scale, meaning)
        if answers.looked is not None:
            seeing = answers.base if request.third_look == SAG else answers.positive
            combined = combined + request.look_strength * (seeing - answers.looked)
        return rescaled(combined, positive, request.guidance_rescale) if request.guidance_rescale and combined is not positive else combined

    def _pushed(self, answers: Answers, negative: Tensor, scale: float | None, meaning: Meaning) -> tuple[Tensor, Tensor]:
        """What the prompts say together, and what is pushed towards it from the negative one; where guidance is off, the former alone."""
        request = self._request
        if scale is None:
            whole = negative + answers.push(negative)
            return whole, whole
        base, push = self._push(answers, negative)
        positive = answers.positive if len(answers.pushes) == 1 and answers.empty is None else base + push
        combined = base + scale * push
        if answers.gathered is not None:
            push = answers.gathered / -meaning.slope
            combined = positive + (scale - 1) * push
        if request.projection or request.push_limit:
            combined = positive + (scale - 1) * projected(push, positive, request.projection, request.push_limit, meaning)
        if request.contrast_as and request.contrast_as != scale:
            combined = with_contrast_of(combined, base + request.contrast_as * push, meaning, request.contrast_percentile)
        return positive, combined

    def _push(self, answers: Answers, negative: Tensor) -> tuple[Tensor, Tensor]:
        """From where guidance pushes, and by how much."""
        base = negative if answers.empty is None else answers.empty
        base = nearest(base, answers.positive) if self._request.zero_star else base
        push = answers.push(base)
        if answers.empty is not None:
            push = push - self._request.perp_negative * perpendicular(negative - base, push)
        return base, push
