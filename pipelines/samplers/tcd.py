"""TCD."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, per_image, raised, timestep_of, trained_level
from pipelines.samplers.options import USUAL, SamplerOptions

BESIDE = 1e-3


def tcd(denoise: Denoise, turn: Turn, noise: Noise, options: SamplerOptions = USUAL) -> Made:
    """Strategic stochastic sampling: Zheng et al. (2024), arXiv:2402.19159, algorithm 4. For distilled models. Options: gamma.

    Each step goes straight to the whole timestep at (1 - gamma) of the next one, and from there up again with fresh noise. With gamma 0
    that is DDIM, with 1 nearly LCM.
    """
    sigma, sigma_next = turn.sigma, turn.sigma_next
    x0 = denoise(turn.x, per_image(sigma, turn.x))
    below = _below(turn, options.gamma) if sigma_next > 0 else 0.0
    x: Tensor = torch.lerp(x0, turn.x, below / sigma)
    if below < sigma_next:
        x = raised(turn, x, below, math.sqrt(sigma_next**2 - below**2), noise)
    return Made(x0, x)


def _below(turn: Turn, gamma: float) -> float:
    """Not above the next level. A level that came through float32 is a little beside its timestep, which no noise is to show."""
    timestep = math.floor((1 - gamma) * timestep_of(turn, turn.sigma_next) + BESIDE)
    below = trained_level(turn, timestep)
    return below if below < turn.sigma_next * (1 - BESIDE) else turn.sigma_next
