"""Heun."""

from __future__ import annotations

import torch

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, churned, per_image
from pipelines.samplers.options import USUAL, SamplerOptions


def heun(denoise: Denoise, turn: Turn, noise: Noise, options: SamplerOptions = USUAL) -> Made:
    """Heun's second-order method: Karras et al. (2022), algorithm 2. Two calls a step, one when the step ends at 0.

    Options: s_churn, s_tmin, s_tmax, s_noise; without churn it is algorithm 1.
    """
    sigma_next = turn.sigma_next
    x, sigma_hat = churned(turn, noise, options)
    x0 = denoise(x, per_image(sigma_hat, x))
    x_euler = torch.lerp(x0, x, sigma_next / sigma_hat)
    if sigma_next == 0:
        return Made(x0, x_euler)
    d = (x - x0) / sigma_hat
    x0 = denoise(x_euler, per_image(sigma_next, x))
    d_next = (x_euler - x0) / sigma_next
    return Made(x0, x + (d + d_next) * ((sigma_next - sigma_hat) / 2))
