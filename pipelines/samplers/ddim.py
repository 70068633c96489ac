"""DDIM."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pipelines.samplers.moment import Denoise, Moment, Noise, per_image, steps


def ddim(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: Noise) -> Iterator[Moment]:
    """Denoising diffusion implicit models, eta 0: Song et al. (2020), arXiv:2010.02502, formula 12.

    x' = x0 + sigma' epsilon with epsilon = (x - x0) / sigma. In these coordinates that is Euler's step; what makes
    DDIM its own sampler is the spacing of its timesteps (`schedules.ddim`).
    """
    for index, sigma, sigma_next in steps(sigmas):
        x0 = denoise(x, per_image(sigma, x))
        x = torch.lerp(x0, x, sigma_next / sigma)
        yield Moment(index, sigma, x0, x)
