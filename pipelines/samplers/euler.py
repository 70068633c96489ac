"""Euler."""

from __future__ import annotations

import torch

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, churned, per_image
from pipelines.samplers.options import USUAL, SamplerOptions


def euler(denoise: Denoise, turn: Turn, noise: Noise, options: SamplerOptions = USUAL) -> Made:
    """Euler's method on dx/dsigma = (x - x0) / sigma: Karras et al. (2022), algorithm 2 without its correction.

    Options: s_churn, s_tmin, s_tmax, s_noise; without churn it is algorithm 1.

    x + (sigma' - sigma) (x - x0) / sigma is the point between x0 and x at sigma' / sigma.
    """
    x, sigma_hat = churned(turn, noise, options)
    x0 = denoise(x, per_image(sigma_hat, x))
    return Made(x0, torch.lerp(x0, x, turn.sigma_next / sigma_hat))
