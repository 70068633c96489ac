"""Areas: what the prompt and the words of each region count at each place that a layer of the network sees."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from models.memory.device import sent
from models.patches.regions import divided
from pipelines.denoising.samples import Samples, stacked
from pipelines.images.masking import Box

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

LEVELS = 8  # how often a network may halve what it sees


@dataclass(frozen=True)
class RegionWords:
    """What is said in the regions at one call of the network."""

    contexts: tuple[Tensor, ...]  # (1, tokens, width) each
    share: float  # 0 .. 1: what the prompt counts there


class Areas:
    """The regions of one run, in what is drawn. Masks are made small on the host, and each size is sent once."""

    def __init__(self, masks: Tensor, weights: Sequence[float], device: torch.device | str = "cpu") -> None:
        """`masks`: (regions, 1 or one a window, h, w), 0 .. 1, of the latents' shape, in the host's memory. `weights`: of each region."""
        self._masks, self._weights, self._device = masks, tuple(weights), device
        self._sizes = _sizes(masks.shape[2], masks.shape[3])
        self._known: dict[tuple[int, float], list[Tensor]] = {}

    def windowed(self, windows: Sequence[Box]) -> Areas:
        """The same in windows, which are in latents."""
        if len(windows) == 1:
            return self
        return Areas(stacked(self._masks.transpose(0, 1), windows).transpose(0, 1), self._weights, self._device)

    def reading(
        self, unet: UNet2DConditionModel, words: RegionWords | None, branches: int, samples: Samples
    ) -> AbstractContextManager[object]:
        """The UNet reads these words where they count, for the length of the block."""
        if words is None:
            return nullcontext()
        return divided(unet, words.contexts, lambda places: self.shares(places, words.share, samples), branches)

    def shares(self, places: int, base: float, samples: Samples) -> list[Tensor]:
        """What the prompt and each region count at the places of a layer: (1 or a sample, places, 1) each, which add up to 1.

        `base`: the share of the prompt where regions are, 0 .. 1.
        """
        if (places, base) not in self._known:
            small = torch.nn.functional.interpolate(self._masks, size=self._sizes[places], mode="area")
            made = mixed(small, self._weights, base)
            self._known[places, base] = [sent(each.flatten(1).unsqueeze(-1).contiguous(), self._device) for each in made]
        return [samples.rows(each) for each in self._known[places, base]]


def mixed(masks: Tensor, weights: Sequence[float], base: float) -> list[Tensor]:
    """Masks (regions, ...) in 0 .. 1 to what the prompt and then each region count at each place; all together make 1.

    Where no region lies the prompt has all. Where some lie they stand beside it as their weights to its share: with a share b of the prompt
    and weights w of masks m, region r has c (1 - b) w_r m_r / (b M + (1 - b) sum of w m), where M = sum of m, and c = min(1, M) is how
    much of the place is covered.
    """
    weighed = masks * torch.tensor(weights).view(-1, *[1] * (masks.ndim - 1)) * (1 - base)
    laid = masks.sum(0)
    against = base * laid + weighed.sum(0)
    parts = torch.where(against > 0, laid.clamp(max=1) * weighed / against.clamp(min=1e-12), 0.0)
    return [1 - parts.sum(0), *parts]


def _sizes(height: int, width: int) -> dict[int, tuple[int, int]]:
    """Places -> rows and columns, of all levels of a network that halves what it sees."""
    found: dict[int, tuple[int, int]] = {}
    for _ in range(LEVELS):
        found[height * width] = height, width
        height, width = -(-height // 2), -(-width // 2)
    return found
