"""First answers: what a network said of the noise that a drawing begins with. Guidance, sampler, schedule and the number of steps act only
on what is made of it, so cells of a grid that differ in nothing else are answered once.

An answer is given again only for the very same question: the same networks, and each tensor that they read equal bit for bit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from models.diffusion_model import DiffusionModel
from models.networks.compiled import is_listened_to
from pipelines.requests.guidance import SAG, Guided
from pipelines.requests.request import Drawing
from pipelines.requests.sampling import NEUTRAL
from pipelines.steps.content import BESIDE

REMEMBERED = 8  # answers: a few latents each
# They act on what is asked, which is compared, or on what is made of the answer. How the networks themselves work is none of them.
FREE = {"steps", "sampler", "schedule", "guidance_scale", "guidance_rescale", "vae", *NEUTRAL, *(item.name for item in fields(Guided))}
SHAPES = {"free_u", "free_b1", "free_b2", "free_s1", "free_s2"}  # of them those that change networks
Asked = Sequence[Tensor | None]


@dataclass(frozen=True)
class _Answer:
    networks: object
    asked: Asked
    said: Tensor


class FirstAnswers:
    """For the worker's thread."""

    def __init__(self) -> None:
        self._known: deque[_Answer] = deque(maxlen=REMEMBERED)

    def lent(self, model: DiffusionModel, request: Drawing, files: object, told: Callable[[], None]) -> DiffusionModel:
        """The model with what it has said before, where its networks are the same from the first step to the last. `files`: which it was
        read from, and how it runs. `told`: called when an answer is given again.
        """
        if request.controls or request.regions or request.third_look == SAG or model.paced or model.regional:
            return model
        networks = replace(request, **_usual(request)), files

        def recall(asked: Asked, ask: Callable[[], Tensor]) -> Tensor:
            if is_listened_to(model.unet.modules()):  # by who looks on, or they come in turn
                return ask()
            found = next((each for each in self._known if each.networks == networks and _same(each.asked, asked)), None)
            if found:
                told()
                return found.said
            self._known.append(_Answer(networks, asked, said := ask()))
            return said

        return replace(model, recall=recall)


def _usual(request: Drawing) -> dict[str, object]:
    return {item.name: item.default for item in fields(request) if item.name in (FREE | BESIDE) - SHAPES}


def _same(one: Asked, other: Asked) -> bool:
    return len(one) == len(other) and all(_equal(*pair) for pair in zip(one, other, strict=True))


def _equal(one: Tensor | None, other: Tensor | None) -> bool:
    if one is None or other is None:
        return one is other
    return one.shape == other.shape and one.dtype == other.dtype and torch.equal(one, other)
