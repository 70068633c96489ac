"""Denoisers that a run samples with: told which step comes next, and put around one another."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from pipelines.requests.steps import Steps
from pipelines.samplers.moment import both
from pipelines.samplers.noise_schedule import NoiseSchedule


class SteppedDenoiser(Protocol):
    """A denoiser that is told which step comes next: what a run samples with."""

    @property
    def schedule(self) -> NoiseSchedule: ...

    @property
    def gathered(self) -> Tensor | None:
        """The pushes of guidance so far, where it has momentum; who goes on from a step puts it there."""
        ...

    @gathered.setter
    def gathered(self, gathered: Tensor | None) -> None: ...

    def begin(self, index: int, steps: Steps) -> None:
        """Step `index` of those that are planned, counted from 0, comes next."""
        ...

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor: ...


class Around:
    """A denoiser around another, which does its steps."""

    def __init__(self, denoiser: SteppedDenoiser) -> None:
        self._guide = denoiser

    @property
    def schedule(self) -> NoiseSchedule:
        return self._guide.schedule

    @property
    def gathered(self) -> Tensor | None:
        return self._guide.gathered

    @gathered.setter
    def gathered(self, gathered: Tensor | None) -> None:
        self._guide.gathered = gathered

    def begin(self, index: int, steps: Steps) -> None:
        self._guide.begin(index, steps)


class Relay(Around):
    """The denoisers of one run, each from its share of the steps on. What the sampler remembers goes on across the change."""

    def __init__(self, *turns: tuple[float, SteppedDenoiser]) -> None:
        """`turns`: (0 .. 1, denoiser) in the order in which they run, the first one from 0. Their latents must mean the same."""
        super().__init__(turns[0][1])
        self._turns = turns

    @property
    def schedule(self) -> NoiseSchedule:
        """The noise levels of the first, which the steps are planned on; each denoiser knows its own timestep for a level."""
        return self._turns[0][1].schedule

    def begin(self, index: int, steps: Steps) -> None:
        before, self._guide = self._guide, [denoise for start, denoise in self._turns if index / steps.planned >= start][-1]
        super().begin(index, steps)
        if before is not self._guide and index > steps.skipped:
            self.gathered = before.gathered

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """As `Denoiser`, by the one whose turn it is."""
        return self._guide(x, sigma)

    def both(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        return both(self._guide, x, sigma)


class Masked(Around):
    """Keeps what is not masked: after each call of the network its answer counts under the mask, and the picture's latents elsewhere.

    With `soft` the mask is a strength for each pixel: one of value m joins for the last m of the steps that run (Levin & Fried
    2023, arXiv:2306.00950, differential diffusion); without it, the mask is rounded to 0 and 1.
    """

    def __init__(self, denoiser: SteppedDenoiser, picture: Tensor, mask: Tensor, soft: bool = False) -> None:
        """`picture`: (n or 1, 4, h, w) clean latents. `mask`: (1, 1, h, w), 0 .. 1, 1 is drawn anew."""
        super().__init__(denoiser)
        self._picture, self._soft = picture, soft
        self._strengths = mask
        self._mask = mask.round()

    def begin(self, index: int, steps: Steps) -> None:
        super().begin(index, steps)
        if self._soft:
            left = (steps.planned - index) / max(1, steps.run)  # 1 at the first step that runs
            self._mask = (self._strengths >= min(left, 1 - 1e-6)).to(self._strengths)

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        return self._kept(self._guide(x, sigma))

    def both(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        combined, without = both(self._guide, x, sigma)
        return self._kept(combined), self._kept(without)

    def _kept(self, x0: Tensor) -> Tensor:
        return x0 * self._mask + self._picture * (1 - self._mask)
