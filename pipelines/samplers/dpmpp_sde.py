"""DPM++ SDE."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, ancestral, per_image
from pipelines.samplers.options import USUAL, SamplerOptions


def dpmpp_sde(denoise: Denoise, turn: Turn, noise: Noise, options: SamplerOptions = USUAL) -> Made:
    """DPM-Solver++ as a stochastic two-stage method: k-diffusion's sample_dpmpp_sde with r 1/2. Options: eta, s_noise.

    Two calls a step, one when the step ends at 0. With r = 1/2 the middle is the geometric mean of the two noise
    levels, and the whole step uses the prediction made there. Both stages read the same Brownian path.
    """
    x, sigma, sigma_next = turn.x, turn.sigma, turn.sigma_next
    x0 = denoise(x, per_image(sigma, x))
    if sigma_next > 0:
        sigma_mid = math.sqrt(sigma * sigma_next)
        x_mid = _stage(x, x0, sigma, sigma_mid, noise, options)
        x0 = denoise(x_mid, per_image(sigma_mid, x))
    return Made(x0, _stage(x, x0, sigma, sigma_next, noise, options))


def _stage(x: Tensor, x0: Tensor, sigma: float, sigma_next: float, noise: Noise, options: SamplerOptions) -> Tensor:
    sigma_down, sigma_up = ancestral(sigma, sigma_next, options.eta)
    x = torch.lerp(x0, x, sigma_down / sigma)
    return x.add_(noise(sigma, sigma_next), alpha=sigma_up * options.s_noise) if sigma_up > 0 else x
