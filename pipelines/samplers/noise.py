"""Noise that belongs to an image, not to a batch: image i of a batch gets, bit for bit, what it gets alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
import torchsde
from torch import Tensor

from pipelines.samplers.moment import Noise


class ImageNoise:
    """Unit noise for a batch, each image's from its own seed. Drawn on the CPU in float32, so no device changes it."""

    def __init__(
        self,
        seeds: Sequence[int],
        shape: tuple[int, ...],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        """`seeds`: one an image, 0 .. 2^63 - 1. `shape`: of one image's latents, (channels, height, width)."""
        self.seeds, self.shape, self.device, self.dtype = tuple(seeds), tuple(shape), device, dtype
        self._generators = [torch.Generator().manual_seed(seed) for seed in self.seeds]

    def first(self) -> Tensor:
        """(batch, channels, height, width): what the drawing begins with. Starts every image's sequence anew."""
        for generator, seed in zip(self._generators, self.seeds, strict=True):
            generator.manual_seed(seed)
        return self._draw()

    def __call__(self, sigma: float, sigma_next: float) -> Tensor:
        """The next draw of every image, whatever the noise levels."""
        return self._draw()

    def source(self, kind: Literal["none", "fresh", "brownian"], sigmas: Tensor) -> Noise:
        """The noise a sampler asks for in its `SamplerSpec.noise`, over the levels it is going to visit."""
        return self.brownian(sigmas[sigmas > 0].min().item(), sigmas.max().item()) if kind == "brownian" else self

    def brownian(self, sigma_min: float, sigma_max: float) -> BrownianNoise:
        return BrownianNoise(self, sigma_min, sigma_max)

    def _draw(self) -> Tensor:
        drawn = torch.empty((len(self.seeds), *self.shape))
        for image, generator in zip(drawn, self._generators, strict=True):
            torch.randn(self.shape, generator=generator, out=image)
        return drawn.to(self.device, self.dtype)


class BrownianNoise:
    """Increments of one Brownian path an image, scaled to unit variance, as k-diffusion's BrownianTreeNoiseSampler.

    What lies between two noise levels does not depend on which levels were asked for before, so neighbouring step
    counts give neighbouring pictures, and the two stages of DPM++ SDE agree.
    """

    def __init__(self, images: ImageNoise, sigma_min: float, sigma_max: float) -> None:
        self._device, self._dtype = images.device, images.dtype
        start = torch.zeros(images.shape)
        seeds = images.seeds if sigma_min < sigma_max else ()  # a run of one step asks for no noise
        low, high = _time(sigma_min), _time(sigma_max)
        self._paths: list[Any] = [torchsde.BrownianTree(low, start, high, entropy=seed) for seed in seeds]

    def __call__(self, sigma: float, sigma_next: float) -> Tensor:
        """(batch, channels, height, width), for sigma_min <= sigma_next < sigma <= sigma_max."""
        increments = torch.stack([path(_time(sigma_next), _time(sigma)) for path in self._paths])
        return increments.div_(-((sigma - sigma_next) ** 0.5)).to(self._device, self._dtype)


def _time(sigma: float) -> float:
    """A noise level as torchsde keeps it: it rounds its own ends, and then warns of levels that lie beyond them."""
    return round(sigma, 6)
