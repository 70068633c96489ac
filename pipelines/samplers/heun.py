"""Heun."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pipelines.samplers.moment import Denoise, Moment, Noise, churned, per_image, steps
from pipelines.samplers.options import USUAL, SamplerOptions


def heun(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: Noise, options: SamplerOptions = USUAL) -> Iterator[Moment]:
    """Heun's second-order method: Karras et al. (2022), algorithm 2. Two calls a step, one when the step ends at 0.

    Options: s_churn, s_tmin, s_tmax, s_noise; without churn it is algorithm 1.
    """
    for index, sigma, sigma_next in steps(sigmas):
        x, sigma_hat = churned(x, sigma, noise, options, len(sigmas) - 1)
        x0 = denoise(x, per_image(sigma_hat, x))
        x_euler = torch.lerp(x0, x, sigma_next / sigma_hat)
        if sigma_next > 0:
            d = (x - x0) / sigma_hat
            x0 = denoise(x_euler, per_image(sigma_next, x))
            d_next = (x_euler - x0) / sigma_next
            x = x + (d + d_next) * ((sigma_next - sigma_hat) / 2)
        else:
            x = x_euler
        yield Moment(index, sigma, x0, x)
