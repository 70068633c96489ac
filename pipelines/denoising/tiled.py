"""Windows over a picture that is larger than its network was trained for: at every step each is denoised, and their answers blend.

MultiDiffusion (Bar-Tal et al. 2023, arXiv:2302.08113) weighs all places of a window alike; Mixture of Diffusers (Jimenez 2023,
arXiv:2302.02412) weighs them by a Gaussian about its middle, so that what a window cannot know at its border hardly counts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from pipelines.denoising.samples import cut, stacked
from pipelines.denoising.stepped import Around, SteppedDenoiser
from pipelines.images.masking import Box
from pipelines.samplers.moment import both

VARIANCE = 0.01  # of the Gaussian, in sides of a window squared

Weights = Callable[[int], Tensor]  # places along a side of a window -> what each counts, (length,)


def gaussian(length: int) -> Tensor:
    place = (torch.arange(length) - (length - 1) / 2) / length
    return torch.exp(-(place**2) / (2 * VARIANCE))


def equal(length: int) -> Tensor:
    return torch.ones(length)


class Tiled(Around):
    """Denoises window by window. What it wraps is given the windows as samples of one batch (`Samples`), and reads beside the latents
    what is cut alike.
    """

    def __init__(
        self, denoiser: SteppedDenoiser, windows: Sequence[Box], device: torch.device | str = "cpu", weights: Weights = gaussian
    ) -> None:
        """`windows`: in latents, all of one size; together they cover the whole."""
        super().__init__(denoiser)
        self._windows = windows
        self._shares = [share.to(device) for share in shares(windows, weights)]

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        """As `Denoiser`."""
        if len(self._windows) == 1:
            return self._guide(x, sigma)
        return self._blended(self._guide(*self._stacked(x, sigma)), x)

    def both(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        if len(self._windows) == 1:
            return both(self._guide, x, sigma)
        combined, without = both(self._guide, *self._stacked(x, sigma))
        return self._blended(combined, x), self._blended(without, x)

    def _stacked(self, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
        return stacked(x, self._windows), sigma.repeat(len(self._windows))

    def _blended(self, answers: Tensor, x: Tensor) -> Tensor:
        blended = torch.zeros_like(x)
        for window, answer, share in zip(self._windows, answers.chunk(len(self._windows)), self._shares, strict=True):
            cut(blended, window).add_(answer * share)
        return blended


def shares(windows: Sequence[Box], weights: Weights) -> list[Tensor]:
    """What each window counts at each of its places, (h, w); all that lie over one place make 1."""
    left, top, right, bottom = windows[0]
    weight = weights(bottom - top)[:, None] * weights(right - left)
    total = torch.zeros(max(window[3] for window in windows), max(window[2] for window in windows))
    for window in windows:
        cut(total, window).add_(weight)
    return [weight / cut(total, window) for window in windows]
