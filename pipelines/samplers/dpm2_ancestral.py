"""DPM2 a."""

from __future__ import annotations

import math

import torch

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, ancestral, per_image, raised
from pipelines.samplers.options import USUAL, SamplerOptions


def dpm2_ancestral(denoise: Denoise, turn: Turn, noise: Noise, options: SamplerOptions = USUAL) -> Made:
    """Ancestral sampling with DPM2's steps: too far down, then up again with fresh noise (k-diffusion's sample_dpm_2_ancestral).

    Two calls a step, one when the step ends at 0. Options: eta, s_noise.
    """
    x, sigma = turn.x, turn.sigma
    x0 = denoise(x, per_image(sigma, x))
    sigma_down, sigma_up = ancestral(sigma, turn.sigma_next, options.eta)
    if sigma_down == 0:
        return Made(x0, x0)
    sigma_mid = math.sqrt(sigma * sigma_down)
    x_mid = torch.lerp(x0, x, sigma_mid / sigma)
    x0 = denoise(x_mid, per_image(sigma_mid, x))
    x = x + (x_mid - x0) * ((sigma_down - sigma) / sigma_mid)
    return Made(x0, raised(turn, x, sigma_down, sigma_up, noise, options.s_noise) if sigma_up > 0 else x)
