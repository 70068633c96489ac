"""Euler a."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pipelines.samplers.moment import Denoise, Moment, Noise, ancestral, per_image, steps
from pipelines.samplers.options import USUAL, SamplerOptions


def euler_ancestral(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: Noise, options: SamplerOptions = USUAL) -> Iterator[Moment]:
    """Ancestral sampling with Euler steps: too far down, then up again with fresh noise (k-diffusion). Options: eta, s_noise.

    The same as DDIM with its eta: Song et al. (2020), arXiv:2010.02502, formula 16.
    """
    for index, sigma, sigma_next in steps(sigmas):
        x0 = denoise(x, per_image(sigma, x))
        sigma_down, sigma_up = ancestral(sigma, sigma_next, options.eta)
        x = torch.lerp(x0, x, sigma_down / sigma)
        if sigma_up > 0:
            x.add_(noise(sigma, sigma_next), alpha=sigma_up * options.s_noise)
        yield Moment(index, sigma, x0, x)
