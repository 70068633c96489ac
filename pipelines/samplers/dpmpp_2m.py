"""DPM++ 2M."""

from __future__ import annotations

import math

import torch

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, per_image


def dpmpp_2m(denoise: Denoise, turn: Turn, noise: Noise) -> Made:
    """DPM-Solver++(2M): Lu et al. (2022), arXiv:2211.01095, algorithm 2. One call a step.

    With lambda = -log sigma and h its growth in a step, exp(-h) is sigma' / sigma. The first and the last step, which
    have no step behind or no end ahead, are of first order.
    """
    sigma, sigma_next = turn.sigma, turn.sigma_next
    x0 = denoise(turn.x, per_image(sigma, turn.x))
    d, h = x0, math.inf
    if sigma_next > 0:
        h = math.log(sigma / sigma_next)
        if turn.remembered:
            [x0_last] = turn.remembered
            r = math.log(turn.past[0] / sigma) / h
            d = torch.lerp(x0, x0_last, -1 / (2 * r))
    return Made(x0, torch.lerp(d, turn.x, math.exp(-h)), (x0,))
