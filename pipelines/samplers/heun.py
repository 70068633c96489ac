"""Heun."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pipelines.samplers.moment import Denoise, Moment, Noise, per_image, steps


def heun(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: Noise) -> Iterator[Moment]:
    """Heun's second-order method: Karras et al. (2022), algorithm 1. Two calls a step, one when the step ends at 0."""
    for index, sigma, sigma_next in steps(sigmas):
        x0 = denoise(x, per_image(sigma, x))
        x_euler = torch.lerp(x0, x, sigma_next / sigma)
        if sigma_next > 0:
            d = (x - x0) / sigma
            x0 = denoise(x_euler, per_image(sigma_next, x))
            d_next = (x_euler - x0) / sigma_next
            x = x + (d + d_next) * ((sigma_next - sigma) / 2)
        else:
            x = x_euler
        yield Moment(index, sigma, x0, x)
