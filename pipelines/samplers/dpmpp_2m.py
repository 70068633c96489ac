"""DPM++ 2M."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from pipelines.samplers.moment import Denoise, Moment, Noise, per_image, steps


def dpmpp_2m(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: Noise) -> Iterator[Moment]:
    """DPM-Solver++(2M): Lu et al. (2022), arXiv:2211.01095, algorithm 2. One call a step.

    With lambda = -log sigma and h its growth in a step, exp(-h) is sigma' / sigma. The first and the last step, which
    have no step behind or no end ahead, are of first order.
    """
    x0_last, h_last = None, 0.0
    for index, sigma, sigma_next in steps(sigmas):
        x0 = denoise(x, per_image(sigma, x))
        d, h = x0, math.inf
        if sigma_next > 0:
            h = math.log(sigma / sigma_next)
            if x0_last is not None:
                r = h_last / h
                d = torch.lerp(x0, x0_last, -1 / (2 * r))
        x = torch.lerp(d, x, math.exp(-h))
        x0_last, h_last = x0, h
        yield Moment(index, sigma, x0, x)
