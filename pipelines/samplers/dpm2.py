"""DPM2."""

from __future__ import annotations

import math

import torch

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, churned, per_image
from pipelines.samplers.options import USUAL, SamplerOptions


def dpm2(denoise: Denoise, turn: Turn, noise: Noise, options: SamplerOptions = USUAL) -> Made:
    """The midpoint method with the middle in log sigma, after DPM-Solver-2: Lu et al. (2022), arXiv:2206.00927; k-diffusion's sample_dpm_2.

    Two calls a step, one when the step ends at 0. Options: s_churn, s_tmin, s_tmax, s_noise.
    """
    sigma_next = turn.sigma_next
    x, sigma_hat = churned(turn, noise, options)
    x0 = denoise(x, per_image(sigma_hat, x))
    if sigma_next == 0:
        return Made(x0, x0)
    sigma_mid = math.sqrt(sigma_hat * sigma_next)
    x_mid = torch.lerp(x0, x, sigma_mid / sigma_hat)
    x0 = denoise(x_mid, per_image(sigma_mid, x))
    return Made(x0, x + (x_mid - x0) * ((sigma_next - sigma_hat) / sigma_mid))
