"""Euler a."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pipelines.samplers.moment import Denoise, Moment, Noise, ancestral, per_image, steps


def euler_ancestral(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: Noise) -> Iterator[Moment]:
    """Ancestral sampling with Euler steps: too far down, then up again with fresh noise (k-diffusion, eta 1).

    The same as DDIM with eta 1: Song et al. (2020), arXiv:2010.02502, formula 16.
    """
    for index, sigma, sigma_next in steps(sigmas):
        x0 = denoise(x, per_image(sigma, x))
        sigma_down, sigma_up = ancestral(sigma, sigma_next)
        x = torch.lerp(x0, x, sigma_down / sigma)
        if sigma_up > 0:
            x.add_(noise(sigma, sigma_next), alpha=sigma_up)
        yield Moment(index, sigma, x0, x)
