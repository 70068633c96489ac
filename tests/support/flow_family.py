"""A tiny family of flows, which the studio does not know: a prediction of its own, and a network whose answer is a closed form.

The data are Gaussian with this mean and deviation, so that the flow of each latent is known: what began at level 1 as noise n ends at
MEAN + DEVIATION * n.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from models.families.prediction import exploding

MEAN, DEVIATION = 0.4, 2.0
COUNT = 1000


@dataclass(frozen=True)
class Flow:
    """noise - x0, with x = (1 - sigma) * x0 + sigma * noise: Lipman et al. (2022), arXiv:2210.02747."""

    shift: float = 3.0  # more of the levels lie near the noise: Esser et al. (2024), arXiv:2403.03206, section 5.3.2
    automatic: str = "Simple"

    @property
    def levels(self) -> tuple[float, ...]:
        even = ((place + 1) / COUNT for place in range(COUNT))
        return tuple(self.shift * t / (1 + (self.shift - 1) * t) for t in even)

    def given(self, x: Tensor, level: Tensor) -> Tensor:
        return x

    def time(self, sigma: Tensor, step: Callable[[Tensor], Tensor]) -> Tensor:
        return sigma

    def clean(self, x: Tensor, output: Tensor, level: Tensor) -> Tensor:
        return x - output * level

    def noised(self, noise: Tensor, sigma: Tensor, clean: Tensor | None = None) -> Tensor:
        return noise * sigma + (0 if clean is None else clean * (1 - sigma))

    def renoise(self, down: float, sigma: float, up: float) -> tuple[float, float]:
        """The data's share shrinks to that of the higher level, and the noise that lacks then joins. No level lies above 1."""
        if sigma >= 1:
            return 1.0, 0.0
        keep = (1 - sigma) / (1 - down)
        return keep, math.sqrt(max(0.0, sigma**2 - (keep * down) ** 2))


class Exploding(Flow):
    """The same, with noise added as elsewhere, which no flow is made for."""

    def renoise(self, down: float, sigma: float, up: float) -> tuple[float, float]:
        return exploding(down, sigma, up)


def velocity(x: Tensor, sigma: Tensor) -> Tensor:
    """What a perfect network answers at x: the noise that is expected less the data that are, for the Gaussian above."""
    spread = ((1 - sigma) * DEVIATION) ** 2 + sigma**2
    rest = x - (1 - sigma) * MEAN
    return sigma / spread * rest - (MEAN + (1 - sigma) * DEVIATION**2 / spread * rest)


def end_of(x: Tensor, sigma: float) -> Tensor:
    """Where the flow brings x from this level."""
    spread = math.sqrt(((1 - sigma) * DEVIATION) ** 2 + sigma**2)
    return MEAN + DEVIATION / spread * (x - (1 - sigma) * MEAN)


class FlowNetwork(nn.Module):
    """As the loop calls a UNet. What it is told beside the time, it does not need."""

    def __init__(self) -> None:
        super().__init__()
        self.config: Any = {"in_channels": 4}
        self.times: list[float] = []

    def forward(self, x: Tensor, time: Tensor, context: Tensor, **told: object) -> tuple[Tensor]:
        self.times += time.tolist()
        return (velocity(x, time.view(-1, 1, 1, 1).to(x)),)


def exact(x: Tensor, sigma: Tensor) -> Tensor:
    """The clean latents that are expected at x."""
    level = sigma.view(-1, *[1] * (x.ndim - 1))
    return x - level * velocity(x, level)


def spread_of(found: Tensor) -> tuple[float, float]:
    """Mean and deviation of all numbers."""
    return torch.mean(found).item(), torch.std(found).item()
