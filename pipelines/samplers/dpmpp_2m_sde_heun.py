"""DPM++ 2M SDE Heun."""

from __future__ import annotations

import math

import torch

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, per_image, raised
from pipelines.samplers.options import USUAL, SamplerOptions


def dpmpp_2m_sde_heun(denoise: Denoise, turn: Turn, noise: Noise, options: SamplerOptions = USUAL) -> Made:
    """SDE-DPM-Solver++(2M) with the exact weight of the slope: k-diffusion's sample_dpmpp_2m_sde, solver type Heun. Options: eta, s_noise.

    One call a step. h is how much -log sigma grows in a step, and `decay` that with the part that the noise takes. Where the midpoint
    form takes half of the step for the mean of the slope, here it is integrated with the exponential (phi 2). A step that ends at 0 goes
    straight to x0.
    """
    sigma, sigma_next = turn.sigma, turn.sigma_next
    x0 = denoise(turn.x, per_image(sigma, turn.x))
    if sigma_next == 0:
        return Made(x0, x0)
    h = math.log(sigma / sigma_next)
    decay = (1 + options.eta) * h
    x = torch.lerp(x0, turn.x, math.exp(-decay))
    if turn.remembered:
        [x0_last] = turn.remembered
        h_last = math.log(turn.past[0] / sigma)
        x.add_(x0 - x0_last, alpha=(1 + math.expm1(-decay) / decay) * h / h_last)
    if options.eta:
        up = sigma_next * math.sqrt(-math.expm1(-2 * options.eta * h))
        x = raised(turn, x, sigma_next * math.exp(-options.eta * h), up, noise, options.s_noise)
    return Made(x0, x, (x0,))
