"""DEIS."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, per_image

ORDER = 3


def deis(denoise: Denoise, turn: Turn, noise: Noise) -> Made:
    """Diffusion exponential integrator, multistep of order 3: Zhang & Chen (2022), arXiv:2204.13902, with polynomials in log sigma.

    One call a step. The slopes (x - x0) / sigma of up to three steps are joined by a polynomial in log sigma, which is integrated over
    sigma. A step that ends at 0, where log sigma has no end, is Euler's.
    """
    sigma, sigma_next = turn.sigma, turn.sigma_next
    x0 = denoise(turn.x, per_image(sigma, turn.x))
    slope = (turn.x - x0) / sigma
    x = torch.lerp(x0, turn.x, sigma_next / sigma)
    if sigma_next > 0:
        levels = (sigma, *turn.past)[: 1 + len(turn.remembered)]
        for place, older in enumerate(turn.remembered, 1):
            x.add_(older - slope, alpha=_weight(levels, place, sigma_next))
    return Made(x0, x, (slope, *turn.remembered)[: ORDER - 1])


def _weight(levels: Sequence[float], place: int, end: float) -> float:
    """The integral from `levels[0]` to `end` of the polynomial in log sigma that is 1 at `levels[place]` and 0 at the others."""
    own = math.log(levels[place])
    zeros = [math.log(level) for level in levels if level != levels[place]]
    scale = math.prod(own - zero for zero in zeros)
    return (_antiderivative(zeros, end) - _antiderivative(zeros, levels[0])) / scale


def _antiderivative(zeros: Sequence[float], sigma: float) -> float:
    """Of the product of (log sigma - zero), one or two of them: the parts of e^u, e^u u and e^u u^2 with u = log sigma."""
    u = math.log(sigma)
    if len(zeros) == 1:
        return sigma * (u - 1 - zeros[0])
    one, other = zeros
    return sigma * (u * u - 2 * u + 2 - (one + other) * (u - 1) + one * other)
