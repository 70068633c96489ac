"""DPM++ 2M SDE."""

from __future__ import annotations

import math

import torch

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, per_image, raised
from pipelines.samplers.options import USUAL, SamplerOptions


def dpmpp_2m_sde(denoise: Denoise, turn: Turn, noise: Noise, options: SamplerOptions = USUAL) -> Made:
    """SDE-DPM-Solver++(2M), midpoint: Lu et al. (2022), arXiv:2211.01095, section 6, as in k-diffusion. Options: eta, s_noise.

    One call a step. With lambda = -log sigma and h its growth in a step, exp(-h) is sigma' / sigma. A step that ends
    at 0 goes straight to x0.
    """
    sigma, sigma_next = turn.sigma, turn.sigma_next
    x0 = denoise(turn.x, per_image(sigma, turn.x))
    if sigma_next == 0:
        return Made(x0, x0)
    d, h = x0, math.log(sigma / sigma_next)
    if turn.remembered:
        [x0_last] = turn.remembered
        h_last = math.log(turn.past[0] / sigma)
        d = torch.lerp(x0, x0_last, -h / (2 * h_last))
    x = torch.lerp(d, turn.x, math.exp(-(1 + options.eta) * h))
    if options.eta:
        up = sigma_next * math.sqrt(-math.expm1(-2 * options.eta * h))
        x = raised(turn, x, sigma_next * math.exp(-options.eta * h), up, noise, options.s_noise)
    return Made(x0, x, (x0,))
