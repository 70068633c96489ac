"""DDIM."""

from __future__ import annotations

import torch

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, ancestral, per_image, raised
from pipelines.samplers.options import USUAL, SamplerOptions


def ddim(denoise: Denoise, turn: Turn, noise: Noise, options: SamplerOptions = USUAL) -> Made:
    """Denoising diffusion implicit models: Song et al. (2020), arXiv:2010.02502, formulas 12 and 16. Options: ddim_eta.

    With eta 0 x' = x0 + sigma' epsilon, where epsilon = (x - x0) / sigma. In these coordinates that is Euler's step; what makes
    DDIM its own sampler is the spacing of its timesteps (`schedules.ddim`).
    """
    sigma, sigma_next = turn.sigma, turn.sigma_next
    x0 = denoise(turn.x, per_image(sigma, turn.x))
    sigma_down, sigma_up = ancestral(sigma, sigma_next, options.ddim_eta) if options.ddim_eta else (sigma_next, 0.0)
    x = torch.lerp(x0, turn.x, sigma_down / sigma)
    return Made(x0, raised(turn, x, sigma_down, sigma_up, noise) if sigma_up > 0 else x)
