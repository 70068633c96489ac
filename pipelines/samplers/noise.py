"""Image noise, which belongs to an image and not to a batch: image i of a batch gets, bit for bit, what it gets alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torchsde
from torch import Tensor

from models.memory.device import sent
from pipelines.samplers.moment import Noise


class ImageNoise:
    """Unit noise for a batch, each image's from its own seed. Drawn on the CPU in float32, so no device changes it."""

    def __init__(
        self,
        seeds: Sequence[int],
        shape: tuple[int, ...],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        variation: Variation | None = None,
    ) -> None:
        """`seeds`: one an image, 0 .. 2^63 - 1. `shape`: of one image's latents, (channels, height, width)."""
        self._variation = variation
        self.seeds, self.shape, self.device, self.dtype = tuple(seeds), tuple(shape), device, dtype
        self._generators = [torch.Generator().manual_seed(seed) for seed in self.seeds]

    def first(self) -> Tensor:
        """(batch, channels, height, width): what the drawing begins with. Starts every image's sequence anew."""
        self._begin()
        drawn = self._drawn()
        return sent(drawn if self._variation is None else self._varied(drawn, self._variation), self.device)

    def __call__(self, sigma: float, sigma_next: float) -> Tensor:
        """The next draw of every image, whatever the noise levels."""
        return sent(self._drawn(), self.device)

    def source(self, kind: Literal["none", "fresh", "brownian"], sigmas: Tensor, draws: int | None = None) -> Noise:
        """The noise a sampler asks for in its `SamplerSpec.noise`, over the levels it is going to visit.

        `draws`: how often it has asked already, in a run that goes on; None: the run begins, as `first` was asked for just before. A
        Brownian path needs no such number: what it says does not depend on what it was asked.
        """
        if kind == "brownian":
            return self.brownian(sigmas[sigmas > 0].min().item(), sigmas.max().item())
        if draws is not None:
            self._wind(draws)
        return self

    def _wind(self, draws: int) -> None:
        """To where every image's sequence stands after the first noise and so many draws."""
        self._begin()
        for _ in range(1 + draws):
            self._drawn()

    def _begin(self) -> None:
        for generator, seed in zip(self._generators, self.seeds, strict=True):
            generator.manual_seed(seed)

    def brownian(self, sigma_min: float, sigma_max: float) -> BrownianNoise:
        return BrownianNoise(self, sigma_min, sigma_max)

    def _drawn(self) -> Tensor:
        drawn = torch.empty((len(self.seeds), *self.shape))
        for image, generator in zip(drawn, self._generators, strict=True):
            torch.randn(self.shape, generator=generator, out=image)
        return drawn.to(self.dtype)

    def _varied(self, noise: Tensor, variation: Variation) -> Tensor:
        """Towards the noise of other seeds. What is drawn after the first goes on from an image's own seed (A1111 1.10, modules/rng.py)."""
        others = ImageNoise(variation.seeds, self.shape, dtype=self.dtype).first()
        mixed = [slerp(one, other, variation.strength) for one, other in zip(noise, others, strict=True)]
        return torch.stack(mixed)


@dataclass(frozen=True)
class Variation:
    """A variation of the first noise: this share of the way, 0 .. 1, to the noise of these seeds, one an image."""

    seeds: Sequence[int]
    strength: float


NEARLY_PARALLEL = 0.9995


def slerp(one: Tensor, other: Tensor, share: float) -> Tensor:
    """Between two tensors along the arc, so that the length of the noise stays what it is: Shoemake 1985.

    As in A1111 1.10 the angle is taken column by column of the last axis but one, its mean decides whether they are nearly
    parallel, and then the way is straight.
    """
    low, high = (part / _lengths(part) for part in (one, other))
    cosine = (low * high).sum(1)
    if cosine.mean() > NEARLY_PARALLEL:
        return one * (1 - share) + other * share
    angle = cosine.acos().unsqueeze(1)
    return (torch.sin((1 - share) * angle) * one + torch.sin(share * angle) * other) / torch.sin(angle)


def _lengths(part: Tensor) -> Tensor:
    # torch does not annotate it
    return torch.linalg.vector_norm(part, dim=1, keepdim=True)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]


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
        self._paths = [torchsde.BrownianTree(low, start, high, entropy=seed) for seed in seeds]

    def __call__(self, sigma: float, sigma_next: float) -> Tensor:
        """(batch, channels, height, width), for sigma_min <= sigma_next < sigma <= sigma_max."""
        increments = torch.stack([path(_time(sigma_next), _time(sigma)) for path in self._paths])
        return sent(increments.div_(-((sigma - sigma_next) ** 0.5)).to(self._dtype), self._device)


def _time(sigma: float) -> float:
    """A noise level as torchsde keeps it: it rounds its own ends, and then warns of levels that lie beyond them."""
    return round(sigma, 6)
