"""DPM++ 2S a."""

from __future__ import annotations

import math

import torch

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, ancestral, per_image, raised
from pipelines.samplers.options import USUAL, SamplerOptions


def dpmpp_2s_ancestral(denoise: Denoise, turn: Turn, noise: Noise, options: SamplerOptions = USUAL) -> Made:
    """DPM-Solver++(2S), Lu et al. (2022), arXiv:2211.01095, algorithm 1 with r 1/2, too far down, then up again with fresh noise.

    As k-diffusion's sample_dpmpp_2s_ancestral. Two calls a step, one when the step ends at 0. Options: eta, s_noise.
    """
    x, sigma = turn.x, turn.sigma
    x0 = denoise(x, per_image(sigma, x))
    sigma_down, sigma_up = ancestral(sigma, turn.sigma_next, options.eta)
    if sigma_down > 0:
        sigma_mid = math.sqrt(sigma * sigma_down)
        x0 = denoise(torch.lerp(x0, x, sigma_mid / sigma), per_image(sigma_mid, x))
    x = torch.lerp(x0, x, sigma_down / sigma)
    return Made(x0, raised(turn, x, sigma_down, sigma_up, noise, options.s_noise) if sigma_up > 0 else x)
