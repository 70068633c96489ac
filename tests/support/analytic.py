"""Denoisers that are known exactly, and the training noise of Stable Diffusion 1, for tests of samplers."""

from __future__ import annotations

import math

import torch
from torch import Tensor

SPREAD = 0.25


def alphas_cumprod() -> Tensor:
    """1000 betas from 0.00085 to 0.012, even in their square root."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return (1 - betas).cumprod(0)


def two_peaks(x: Tensor, sigma: Tensor) -> Tensor:
    """The exact denoiser of numbers that are +1 or -1, with a spread of 0.25: smooth, and far from linear."""
    variance = (sigma**2).view(-1, *[1] * (x.ndim - 1))
    total = SPREAD**2 + variance
    return (SPREAD**2 * x + variance * torch.tanh(x / total)) / total


def two_peaks_solution(x: Tensor, sigma: float) -> Tensor:
    """Where the flow of `two_peaks` takes x from noise level `sigma` to 0: it keeps the rank of every number.

    So F(solution, 0) = F(x, sigma) with F the distribution at a noise level; solved by bisection.
    """
    rank = _distribution(x, sigma)
    low, high = torch.full_like(x, -4), torch.full_like(x, 4)
    for _ in range(60):
        middle = (low + high) / 2
        below = _distribution(middle, 0) < rank
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    return low


def _distribution(x: Tensor, sigma: float) -> Tensor:
    width = math.sqrt(2 * (SPREAD**2 + sigma**2))
    return 0.5 + (torch.erf((x - 1) / width) + torch.erf((x + 1) / width)) / 4
