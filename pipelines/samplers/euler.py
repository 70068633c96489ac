"""Euler."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pipelines.samplers.moment import Denoise, Moment, Noise, per_image, steps


def euler(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: Noise) -> Iterator[Moment]:
    """Euler's method on dx/dsigma = (x - x0) / sigma: Karras et al. (2022), algorithm 1 without its correction.

    x + (sigma' - sigma) (x - x0) / sigma is the point between x0 and x at sigma' / sigma.
    """
    for index, sigma, sigma_next in steps(sigmas):
        x0 = denoise(x, per_image(sigma, x))
        x = torch.lerp(x0, x, sigma_next / sigma)
        yield Moment(index, sigma, x0, x)
