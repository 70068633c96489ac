"""What a network is told: the prompts of each call of a run, as its branches read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from models.diffusion_model import RegionLoras
from models.memory.device import sent
from pipelines.denoising.areas import RegionWords
from pipelines.denoising.guidance import Guiding
from pipelines.denoising.samples import Samples


@dataclass(frozen=True)
class Condition:
    """The condition of one prompt: what it says to the network."""

    context: Tensor  # (1 or one a picture, tokens, width): what the cross attention reads
    pooled: Tensor | None = None  # (1, width): SDXL adds it to the timestep
    sizes: tuple[tuple[float, ...], ...] = ((),)  # SDXL: the numbers that go with it (`size_numbers`), once or for each window
    beside: Tensor | None = None  # (1 or one a picture, channels, h, w): read next to the latents in this branch alone


@dataclass(frozen=True)
class AtOnce:
    """What the network is told at one call: prompts of equal length. No `negative`: guidance is 1, or the network was distilled to
    know it.
    """

    positives: tuple[tuple[float, Condition], ...]  # what each weighs, and what it says; more than one only with a negative one
    negative: Condition | None = None
    regions: RegionWords | None = None  # beside the prompt, which then is one
    # In regions with LoRAs of their own: which of those that act, from 0, and all of this as it is read there.
    apart: tuple[tuple[int, RegionLoras, AtOnce], ...] = ()
    empty: Condition | None = None  # an empty negative prompt, where it is asked as well


@dataclass(frozen=True)
class Conditioning:
    """The conditioning of the prompts over the calls of a run."""

    calls: tuple[AtOnce, ...]  # what each call is told, the last one from there on; what is the same is the same object
    guidance: Guiding
    calls_a_step: int = 1
    noise_level: int | None = None  # of the small picture that is read beside the latents, where a network is told it


class Told:
    """What one call of the network reads: the conditions of its branches, the negative one first."""

    def __init__(self, branches: Sequence[Condition], regions: RegionWords | None = None) -> None:
        self.regions = regions
        self._contexts = [branch.context for branch in branches]
        pooled = [branch.pooled for branch in branches if branch.pooled is not None]
        self.pooled = torch.cat(pooled) if pooled else None  # (branches, width)
        self._beside = [branch.beside for branch in branches if branch.beside is not None]
        # float32 whatever the model's precision: bfloat16 has no number for a size like 1032
        self.sizes = sent(torch.tensor([branch.sizes for branch in branches], dtype=torch.float32), self._contexts[0].device)

    @property
    def branches(self) -> int:
        return len(self._contexts)

    def context(self, samples: Samples, branches: Sequence[int] | None = None) -> Tensor:
        """(branches * samples, tokens, width). `branches`: of these alone."""
        return _spread(self._contexts, samples, branches)

    def beside(self, samples: Samples, branches: Sequence[int] | None = None) -> Tensor | None:
        """(branches * samples, channels, h, w); None: no branch has channels of its own."""
        return _spread(self._beside, samples, branches) if self._beside else None


def _spread(each: Sequence[Tensor], samples: Samples, branches: Sequence[int] | None) -> Tensor:
    """One row a sample of the call, branch by branch."""
    chosen = each if branches is None else [each[branch] for branch in branches]
    rows = [samples.rows(part) for part in chosen]
    return torch.cat([row.expand(samples.end - samples.first, *row.shape[1:]) for row in rows])


class Turn:
    """What is told at once: the negative prompt and the first one together, each further one alone."""

    def __init__(self, at_once: AtOnce) -> None:
        (self.weight, first), *others = at_once.positives
        self._first, self._negative, self._regions = first, at_once.negative, at_once.regions
        self.others = [(weight, Told([condition])) for weight, condition in others]
        self.apart = [(place, own, Turn(told)) for place, own, told in at_once.apart]
        self.empty = Told([at_once.empty]) if at_once.empty else None

    @cached_property
    def alone(self) -> Told:
        return Told([self._first], self._regions)

    @cached_property
    def against(self) -> Told:
        assert self._negative, "what is not held against anything is never asked without the prompt"
        return Told([self._negative])

    @cached_property
    def both(self) -> Told | None:
        """None: there is no negative prompt."""
        return Told([self._negative, self._first], self._regions) if self._negative else None
