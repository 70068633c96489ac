"""What may be done with the push of guidance, a function for each technique, and what outputs of a network mean. All work on each picture
by itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from models.families.prediction import Prediction

LEAST = 1e-30  # that is divided by


@dataclass(frozen=True)
class Meaning:
    """What outputs of the network mean for noisy latents x: all (n, channels, h, w), but for `level`, sigma as (n, 1, 1, 1)."""

    prediction: Prediction
    x: Tensor
    level: Tensor

    @property
    def given(self) -> Tensor:
        """x as the network reads it."""
        return self.prediction.given(self.x, self.level)

    def clean(self, output: Tensor) -> Tensor:
        """The clean latents."""
        return self.prediction.clean(self.x, output, self.level)

    @property
    def slope(self) -> Tensor:
        """By how much the clean latents go down as the output goes up, in the shape of `level`: each is a line of the other."""
        return -self.prediction.clean(torch.zeros_like(self.level), torch.ones_like(self.level), self.level)

    def output(self, clean: Tensor) -> Tensor:
        """The output that means these clean latents."""
        return (self.clean(torch.zeros_like(clean)) - clean) / self.slope


def rescaled(pushed: Tensor, positive: Tensor, share: float) -> Tensor:
    """With a contrast that goes back towards that of the prompt alone: Lin et al. (2023), arXiv:2305.08891, 3.4. `share`: 0 .. 1."""
    dimensions = _all_but_first(pushed)
    contrast = positive.std(dimensions, keepdim=True) / pushed.std(dimensions, keepdim=True)
    return pushed * (share * contrast + 1 - share)


def nearest(base: Tensor, positive: Tensor) -> Tensor:
    """The multiple of the one answer that is nearest to the other: Fan et al. (2025), arXiv:2503.18886, CFG-Zero*, formula 5."""
    return _along(positive, base)


def perpendicular(against: Tensor, push: Tensor) -> Tensor:
    """What of one push has nothing of the other: Armandpour et al. (2023), arXiv:2304.04968, Perp-Neg, formula 6."""
    return against - _along(against, push)


def projected(push: Tensor, positive: Tensor, share: float, limit: float, meaning: Meaning) -> Tensor:
    """A push without so much of what lies along the picture itself, and no longer than the limit in clean latents: Sadat et al. (2024),
    arXiv:2410.02416, adaptive projected guidance.

    `share`: 0 .. 1, the paper's 1 - eta. `limit`: its r; 0: none.
    """
    moved = push * -meaning.slope  # as clean latents
    along = _along(moved, meaning.clean(positive))
    shorter = (limit / _dot(moved, moved).sqrt()).clamp(max=1) if limit else 1.0
    return shorter * (push + share * along / meaning.slope)


def gathered(push: Tensor, before: Tensor | None, momentum: float, meaning: Meaning) -> Tensor:
    """A push as clean latents, with a share of those of the steps before: Sadat et al. (2024), arXiv:2410.02416, formula 8. `before`: what
    this gave at the step before.
    """
    moved = push * -meaning.slope
    return moved if before is None else moved + momentum * before


def with_contrast_of(pushed: Tensor, weaker: Tensor, meaning: Meaning, percentile: float = 100.0) -> Tensor:
    """Where a channel of the clean latents spreads wider than at the weaker guidance, as wide as there about its mean: dynamic thresholding
    (Saharia et al. 2022, arXiv:2205.11487, 2.3) in latents, where the measure is a weaker guidance. `percentile`: of the values of a
    channel, by which its spread is measured; what lies beyond is cut off.
    """
    clean, model = meaning.clean(pushed), meaning.clean(weaker)
    middle, own = clean.mean((2, 3), keepdim=True), model.mean((2, 3), keepdim=True)
    spread, wanted = (clean - middle).abs().amax((2, 3), keepdim=True), (model - own).abs().amax((2, 3), keepdim=True)
    apart = clean - middle
    if percentile < 100:
        share = torch.quantile(apart.float().abs().flatten(2), percentile / 100, dim=2)[..., None, None].to(apart)
        spread = torch.maximum(share, wanted)
        apart = apart.clamp(-spread, spread)
    return meaning.output(middle + apart * (wanted / torch.maximum(spread, wanted).clamp(min=LEAST)))


def _along(one: Tensor, other: Tensor) -> Tensor:
    """The part of one that lies along the other; nothing where the other is nothing, as the push of a prompt that says nothing."""
    return other * (_dot(one, other) / _dot(other, other).clamp(min=LEAST))


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """(n, 1, 1, 1)."""
    return (one * other).sum(_all_but_first(one), keepdim=True)


def _all_but_first(values: Tensor) -> tuple[int, ...]:
    return tuple(range(1, values.ndim))
