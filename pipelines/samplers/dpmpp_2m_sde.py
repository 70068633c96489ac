"""DPM++ 2M SDE."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from pipelines.samplers.moment import Denoise, Moment, Noise, per_image, steps
from pipelines.samplers.options import USUAL, SamplerOptions


def dpmpp_2m_sde(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: Noise, options: SamplerOptions = USUAL) -> Iterator[Moment]:
    """SDE-DPM-Solver++(2M), midpoint: Lu et al. (2022), arXiv:2211.01095, section 6, as in k-diffusion. Options: eta, s_noise.

    One call a step. With lambda = -log sigma and h its growth in a step, exp(-h) is sigma' / sigma. A step that ends
    at 0 goes straight to x0.
    """
    x0_last, h_last = None, 0.0
    for index, sigma, sigma_next in steps(sigmas):
        x0 = denoise(x, per_image(sigma, x))
        if sigma_next > 0:
            h = math.log(sigma / sigma_next)
            d = x0 if x0_last is None else torch.lerp(x0, x0_last, -h / (2 * h_last))
            x = torch.lerp(d, x, math.exp(-(1 + options.eta) * h))
            if options.eta:
                x.add_(noise(sigma, sigma_next), alpha=options.s_noise * sigma_next * math.sqrt(-math.expm1(-2 * options.eta * h)))
            x0_last, h_last = x0, h
        else:
            x = x0
        yield Moment(index, sigma, x0, x)
