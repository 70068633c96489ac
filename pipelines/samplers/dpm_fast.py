"""DPM fast."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, ancestral, per_image
from pipelines.samplers.options import USUAL, SamplerOptions


@dataclass(frozen=True, slots=True)
class Stride:
    """A stride of one to three calls: from where to where, in lambda = -log sigma, and with how much noise at its end."""

    order: int
    place: int  # of the call that is made now, 0 .. order - 1
    begin: float
    end: float  # where it steps down to
    noise: float  # sigma of what is added then
    last: float  # where it ends

    @property
    def h(self) -> float:
        return self.end - self.begin

    def level(self, share: float) -> float:
        return math.exp(-(self.begin + share * self.h))


def dpm_fast(denoise: Denoise, turn: Turn, noise: Noise, options: SamplerOptions = USUAL) -> Made:
    """DPM-Solver-Fast: Lu et al. (2022), arXiv:2206.00927, appendix D.3, as in k-diffusion. Options: eta, s_noise.

    Strides of third order, even in log sigma, the last one or two of lower order. A step is one call: it evaluates where the call before
    has brought x, at levels of its own, and the last call of a stride brings x to the stride's end.
    """
    stride = _stride(turn, options.eta)
    shares = (0.0, 1 / 2) if stride.order == 2 else (0.0, 1 / 3, 2 / 3)
    level = stride.level(shares[stride.place])
    x0 = denoise(turn.x, per_image(level, turn.x))
    eps = (turn.x - x0) / level
    x, *slopes = (*turn.remembered, eps) if stride.place else (turn.x, eps)
    if stride.place + 1 < stride.order:
        return Made(x0, _between(x, slopes, stride, shares[stride.place + 1]), (x, *slopes))
    arrived = _arrived(x, slopes, stride) if stride.order > 1 else torch.lerp(x0, x, math.exp(-stride.h))
    if stride.noise:
        begin, down, last = (math.exp(-place) for place in (stride.begin, stride.end, stride.last))
        keep, up = turn.renoise(down, last, stride.noise)
        arrived = (arrived if keep == 1 else arrived * keep) + noise(begin, last) * (up * options.s_noise)
    return Made(x0, arrived)


def _stride(turn: Turn, eta: float) -> Stride:
    assert turn.trained, "this sampler knows where it ends from the model's levels"
    index, steps = len(turn.past), turn.steps
    begin, end = (-math.log(level) for level in ((*turn.past[::-1], turn.sigma)[0], turn.trained.sigma_min))
    count = steps // 3 + 1
    orders = [3] * (count - 2) + [2, 1] if steps % 3 == 0 else [3] * (count - 1) + [steps % 3]
    number = next(number for number in range(count) if index < sum(orders[: number + 1]))
    first, last = (begin + (end - begin) * place / count for place in (number, number + 1))
    down = min(end, -math.log(max(ancestral(math.exp(-first), math.exp(-last), eta)[0], 1e-30))) if eta else last
    up = math.sqrt(max(0.0, math.exp(-2 * last) - math.exp(-2 * down)))
    return Stride(orders[number], index - sum(orders[:number]), first, down, up, last)


def _between(x: Tensor, slopes: list[Tensor], stride: Stride, share: float) -> Tensor:
    grown = math.expm1(share * stride.h)
    reached = x - slopes[0] * (stride.level(share) * grown)
    if len(slopes) == 2:
        bend = grown / (share * stride.h) - 1
        reached = reached - (slopes[1] - slopes[0]) * (stride.level(share) * 2 * bend)
    return reached


def _arrived(x: Tensor, slopes: list[Tensor], stride: Stride) -> Tensor:
    level, grown = stride.level(1.0), math.expm1(stride.h)
    arrived = x - slopes[0] * (level * grown)
    if len(slopes) == 2:
        return arrived - (slopes[1] - slopes[0]) * (level * grown)
    return arrived - (slopes[2] - slopes[0]) * (level * 3 / 2 * (grown / stride.h - 1))
