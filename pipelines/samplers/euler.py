"""Euler."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pipelines.samplers.moment import Denoise, Moment, Noise, churned, per_image, steps
from pipelines.samplers.options import USUAL, SamplerOptions


def euler(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: Noise, options: SamplerOptions = USUAL) -> Iterator[Moment]:
    """Euler's method on dx/dsigma = (x - x0) / sigma: Karras et al. (2022), algorithm 2 without its correction.

    Options: s_churn, s_tmin, s_tmax, s_noise; without churn it is algorithm 1.

    x + (sigma' - sigma) (x - x0) / sigma is the point between x0 and x at sigma' / sigma.
    """
    for index, sigma, sigma_next in steps(sigmas):
        x, sigma_hat = churned(x, sigma, noise, options, len(sigmas) - 1)
        x0 = denoise(x, per_image(sigma_hat, x))
        x = torch.lerp(x0, x, sigma_next / sigma_hat)
        yield Moment(index, sigma, x0, x)
