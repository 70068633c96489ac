"""DPM++ SDE."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, ancestral, per_image, raised
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
        x_mid = _stage(turn, x0, sigma_mid, noise, options)
        x0 = denoise(x_mid, per_image(sigma_mid, x))
    return Made(x0, _stage(turn, x0, sigma_next, noise, options))


def _stage(turn: Turn, x0: Tensor, end: float, noise: Noise, options: SamplerOptions) -> Tensor:
    sigma_down, sigma_up = ancestral(turn.sigma, end, options.eta)
    x = torch.lerp(x0, turn.x, sigma_down / turn.sigma)
    return raised(turn, x, sigma_down, sigma_up, noise, options.s_noise, end) if sigma_up > 0 else x
