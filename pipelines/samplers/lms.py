"""LMS."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, per_image

ORDER = 4


def lms(denoise: Denoise, turn: Turn, noise: Noise) -> Made:
    """Linear multistep of order 4, Adams and Bashforth's over uneven steps: k-diffusion's sample_lms. One call a step.

    A polynomial in sigma runs through the slopes (x - x0) / sigma of up to four steps and is integrated over this one. As the weights
    sum up to sigma' - sigma, the step is Euler's and what the older slopes differ by.
    """
    sigma, sigma_next = turn.sigma, turn.sigma_next
    x0 = denoise(turn.x, per_image(sigma, turn.x))
    slope = (turn.x - x0) / sigma
    x = torch.lerp(x0, turn.x, sigma_next / sigma)
    levels = (sigma, *turn.past)[: 1 + len(turn.remembered)]
    for place, older in enumerate(turn.remembered, 1):
        x.add_(older - slope, alpha=_weight(levels, place, sigma_next))
    return Made(x0, x, (slope, *turn.remembered)[: ORDER - 1])


def _weight(levels: Sequence[float], place: int, end: float) -> float:
    """The integral from `levels[0]` to `end` of the polynomial that is 1 at `levels[place]` and 0 at the others.

    It is a cubic at most, for which two points are exact (Gauss).
    """
    middle, half = (end + levels[0]) / 2, (end - levels[0]) / 2
    others = [level for level in levels if level != levels[place]]
    points = (middle - half / math.sqrt(3), middle + half / math.sqrt(3))
    return half * sum(math.prod((point - other) / (levels[place] - other) for other in others) for point in points)
