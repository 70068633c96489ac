"""Predictions: what a network was trained to say of noisy latents, at which noise levels, and how noise and latents are mixed there.

All functions work on tensors of any shape; `level` is sigma in a shape that spreads over x. In every family the samplers follow
dx / dsigma = (x - x0) / sigma, which holds for x = x0 + sigma * noise as it does for flows, x = (1 - sigma) * x0 + sigma * noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

LEVELS = 1000  # that a schedule counts where there are no training steps

Renoise = Callable[[float, float, float], tuple[float, float]]


class Prediction(Protocol):
    """How one kind of network speaks."""

    @property
    def automatic(self) -> str:
        """The schedule that "Automatic" stands for; "": the sampler's own."""
        ...

    @property
    def levels(self) -> tuple[float, ...]:
        """The noise levels that a schedule counts, rising; (): those of the checkpoint's training steps."""
        ...

    def given(self, x: Tensor, level: Tensor) -> Tensor:
        """Noisy latents as the network reads them."""
        ...

    def time(self, sigma: Tensor, step: Callable[[Tensor], Tensor]) -> Tensor:
        """What the network is told of a noise level, (n,). `step`: the level's place among those that the schedule counts."""
        ...

    def clean(self, x: Tensor, output: Tensor, level: Tensor) -> Tensor:
        """The clean latents that the network's output means at x."""
        ...

    def noised(self, noise: Tensor, sigma: Tensor, clean: Tensor | None = None) -> Tensor:
        """Latents at a noise level: these clean ones, or of None the noise that a drawing begins with. `sigma`: of one number."""
        ...

    def renoise(self, down: float, sigma: float, up: float) -> tuple[float, float]:
        """Up again from the level `down` to `sigma`: (what x keeps, how much unit noise joins it). `up`: the root of
        sigma^2 - down^2, as a sampler has it.
        """
        ...


def exploding(down: float, sigma: float, up: float) -> tuple[float, float]:
    """Where x = x0 + sigma * noise: nothing is taken away, and variances add up."""
    return 1.0, up


@dataclass(frozen=True, slots=True)
class Epsilon:
    """The noise, read from x / sqrt(sigma^2 + 1), which keeps the variance: Karras et al. (2022), arXiv:2206.00364, table 1, column VP."""

    automatic: str = ""
    levels: tuple[float, ...] = ()

    def given(self, x: Tensor, level: Tensor) -> Tensor:
        return x * (level**2 + 1).rsqrt()

    def time(self, sigma: Tensor, step: Callable[[Tensor], Tensor]) -> Tensor:
        return step(sigma)

    def clean(self, x: Tensor, output: Tensor, level: Tensor) -> Tensor:
        return x - output * level

    def noised(self, noise: Tensor, sigma: Tensor, clean: Tensor | None = None) -> Tensor:
        return noise * sigma if clean is None else noise * sigma + clean

    def renoise(self, down: float, sigma: float, up: float) -> tuple[float, float]:
        return exploding(down, sigma, up)


@dataclass(frozen=True, slots=True)
class Velocity(Epsilon):
    """v = cos * noise - sin * x0 with cos = 1 / sqrt(sigma^2 + 1): Salimans & Ho (2022), arXiv:2202.00512."""

    def clean(self, x: Tensor, output: Tensor, level: Tensor) -> Tensor:
        noise_free = (level**2 + 1).rsqrt()
        return x * noise_free**2 - output * level * noise_free


@dataclass(frozen=True, slots=True)
class EdmVelocity(Velocity):
    """v at levels without training steps, of which the network is told ln(sigma) / 4: Karras et al. (2022), table 1, column EDM, and
    Blattmann et al. (2023), arXiv:2311.15127.
    """

    least: float = 0.002
    most: float = 700.0
    automatic: str = "Karras"
    levels: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        low, high = math.log(self.least), math.log(self.most)
        even = (low + (high - low) * place / (LEVELS - 1) for place in range(LEVELS))
        object.__setattr__(self, "levels", tuple(map(math.exp, even)))

    def time(self, sigma: Tensor, step: Callable[[Tensor], Tensor]) -> Tensor:
        return sigma.log() / 4

    def noised(self, noise: Tensor, sigma: Tensor, clean: Tensor | None = None) -> Tensor:
        """A drawing begins with the variance of noisy latents, not of the noise alone, as in Stability's own samplers."""
        return noise * (sigma**2 + 1).sqrt() if clean is None else noise * sigma + clean


EPSILON = Epsilon()
PREDICTIONS: dict[str, Prediction] = {  # by what a checkpoint says of itself
    "epsilon": EPSILON,
    "v_prediction": Velocity(),
    "edm_v": EdmVelocity(),
}
