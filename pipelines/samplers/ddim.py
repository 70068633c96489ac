"""DDIM."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pipelines.samplers.moment import Denoise, Moment, Noise, ancestral, per_image, steps
from pipelines.samplers.options import WITHOUT_NOISE, SamplerOptions


def ddim(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: Noise, options: SamplerOptions = WITHOUT_NOISE) -> Iterator[Moment]:
    """Denoising diffusion implicit models: Song et al. (2020), arXiv:2010.02502, formulas 12 and 16. Options: eta.

    With eta 0 x' = x0 + sigma' epsilon, where epsilon = (x - x0) / sigma. In these coordinates that is Euler's step; what makes
    DDIM its own sampler is the spacing of its timesteps (`schedules.ddim`).
    """
    for index, sigma, sigma_next in steps(sigmas):
        x0 = denoise(x, per_image(sigma, x))
        sigma_down, sigma_up = ancestral(sigma, sigma_next, options.eta) if options.eta else (sigma_next, 0.0)
        x = torch.lerp(x0, x, sigma_down / sigma)
        if sigma_up > 0:
            x.add_(noise(sigma, sigma_next), alpha=sigma_up)
        yield Moment(index, sigma, x0, x)
