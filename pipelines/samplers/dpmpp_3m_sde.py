"""DPM++ 3M SDE."""

from __future__ import annotations

import math

import torch

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, per_image, raised
from pipelines.samplers.options import USUAL, SamplerOptions


def dpmpp_3m_sde(denoise: Denoise, turn: Turn, noise: Noise, options: SamplerOptions = USUAL) -> Made:
    """SDE-DPM-Solver++ with two steps behind it: k-diffusion's sample_dpmpp_3m_sde. Options: eta, s_noise.

    One call a step. h is how much -log sigma grows in a step, and `decay` that with the part that the noise takes. The slope and the
    bend of x0 over the steps before are integrated with the exponential (phi 2 and phi 3). A step that ends at 0 goes straight to x0.

    The integral has phi 3 twice and k-diffusion once, so that with no noise the order is 2; people know the pictures that this makes.
    """
    sigma, sigma_next = turn.sigma, turn.sigma_next
    x0 = denoise(turn.x, per_image(sigma, turn.x))
    if sigma_next == 0:
        return Made(x0, x0)
    h = math.log(sigma / sigma_next)
    decay = (1 + options.eta) * h
    x = torch.lerp(x0, turn.x, math.exp(-decay))
    if turn.remembered:
        phi_2 = 1 + math.expm1(-decay) / decay
        x0_last, *before = turn.remembered
        r = math.log(turn.past[0] / sigma) / h
        slope = (x0 - x0_last) / r
        x.add_(slope, alpha=phi_2)
        for x0_before in before:
            r_last = math.log(turn.past[1] / turn.past[0]) / h
            bend = (slope - (x0_last - x0_before) / r_last) / (r + r_last)
            x.add_(bend, alpha=phi_2 * r - (phi_2 / decay - 0.5))
    if options.eta:
        up = sigma_next * math.sqrt(-math.expm1(-2 * options.eta * h))
        x = raised(turn, x, sigma_next * math.exp(-options.eta * h), up, noise, options.s_noise)
    return Made(x0, x, (x0, *turn.remembered[:1]))
