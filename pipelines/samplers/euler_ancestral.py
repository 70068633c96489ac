"""Euler a."""

from __future__ import annotations

import torch

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, ancestral, per_image, raised
from pipelines.samplers.options import USUAL, SamplerOptions


def euler_ancestral(denoise: Denoise, turn: Turn, noise: Noise, options: SamplerOptions = USUAL) -> Made:
    """Ancestral sampling with Euler steps: too far down, then up again with fresh noise (k-diffusion). Options: eta, s_noise.

    The same as DDIM with its eta: Song et al. (2020), arXiv:2010.02502, formula 16.
    """
    x0 = denoise(turn.x, per_image(turn.sigma, turn.x))
    sigma_down, sigma_up = ancestral(turn.sigma, turn.sigma_next, options.eta)
    x = torch.lerp(x0, turn.x, sigma_down / turn.sigma)
    return Made(x0, raised(turn, x, sigma_down, sigma_up, noise, options.s_noise) if sigma_up > 0 else x)
