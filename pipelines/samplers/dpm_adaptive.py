"""DPM adaptive."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, ancestral
from pipelines.samplers.options import USUAL, SamplerOptions

RTOL, ATOL, H_INIT, SAFETY = 0.05, 0.0078, 0.05, 0.81  # as in k-diffusion
NEAR_ENOUGH = 1e-5  # to an end, in lambda
KEPT = 3  # numbers of each picture, in two halves: where it stands, its stride, and how often it was given noise


@dataclass
class _Way:
    """How far each picture of the batch has come, each by itself: one is drawn as it would be alone."""

    x: Tensor
    before: Tensor  # the lower estimate of the stride before, with which the tolerance is measured
    at: list[float]  # lambda = -log sigma
    h: list[float]  # the stride that is tried next
    given: list[int]  # how much noise of `noise` each was given
    noise: list[Tensor] = field(default_factory=list[Tensor])  # that was drawn and not given to all yet
    x0: Tensor | None = None

    def remembered(self, x0: Tensor) -> tuple[Tensor, ...]:
        drop = min(self.given)
        self.noise, self.given = self.noise[drop:], [each - drop for each in self.given]
        numbers = torch.zeros(self.x.shape, dtype=torch.float32)
        for row, values in zip(numbers.flatten(1), zip(self.at, self.h, self.given, strict=True), strict=True):
            row[:KEPT] = torch.tensor(values)
            row[KEPT : 2 * KEPT] = torch.tensor([value - float(half) for value, half in zip(values, row[:KEPT], strict=True)])
        return (x0, self.before, numbers.to(self.x.device), *self.noise)


@dataclass(frozen=True)
class _Tried:
    """A stride of each picture."""

    low: Tensor
    high: Tensor
    x0: Tensor
    errors: Sequence[float]


def dpm_adaptive(denoise: Denoise, turn: Turn, noise: Noise, options: SamplerOptions = USUAL) -> Made:
    """DPM-Solver-23 with strides of its own choosing: Lu et al. (2022), arXiv:2206.00927, appendix C, as in k-diffusion. Options: eta,
    s_noise.

    A stride is three calls, and is made again shorter where its two estimates are too far apart. How many there will be nobody knows, so a
    step of the run is a part of the way in log sigma: all strides that begin in it, of which there may be none. What is drawn does
    not depend on how many parts there are.
    """
    assert turn.trained, "this sampler knows where it ends from the model's levels"
    end = -math.log(turn.trained.sigma_min)
    goal = end if len(turn.past) + 1 == turn.steps else min(end, -math.log(turn.sigma_next))
    way = _begun(turn)
    while any(at < goal - NEAR_ENOUGH for at in way.at):
        _stride(denoise, turn, noise, options, way, end, [at < goal - NEAR_ENOUGH for at in way.at])
    x0 = way.x if way.x0 is None else way.x0
    return Made(x0, way.x, way.remembered(x0))


def _begun(turn: Turn) -> _Way:
    if not turn.remembered:
        return _Way(turn.x, turn.x, [-math.log(turn.sigma)] * len(turn.x), [H_INIT] * len(turn.x), [0] * len(turn.x))
    x0, before, numbers, *noise = turn.remembered
    rows: list[list[float]] = numbers.flatten(1)[:, : 2 * KEPT].double().cpu().numpy().tolist()
    at, h, given = ([row[place] + row[KEPT + place] for row in rows] for place in range(KEPT))
    return _Way(turn.x, before, at, h, [round(each) for each in given], noise, x0)


def _stride(denoise: Denoise, turn: Turn, noise: Noise, options: SamplerOptions, way: _Way, end: float, moves: list[bool]) -> None:
    """Tries one of each picture that is not there yet, and takes those that are near enough. The others are asked about and stay."""
    ends = [min(end, at + max(h, NEAR_ENOUGH)) for at, h in zip(way.at, way.h, strict=True)]
    down = [_down(at, last, end, options.eta) for at, last in zip(way.at, ends, strict=True)]
    tried = _tried(denoise, way, [max(last, at + NEAR_ENOUGH) for at, last in zip(way.at, down, strict=True)])
    factors = [1 + math.atan((1 / (error + 1e-8)) ** (1 / (1.5 if options.eta else 3)) - 1) for error in tried.errors]
    taken = [moving and factor >= SAFETY for moving, factor in zip(moves, factors, strict=True)]
    high = tried.high
    if options.eta:
        high = _noisy(turn, noise, options, way, high, list(zip(way.at, down, ends, strict=True)), taken)
    chosen, moved = _column(taken, way.x).bool(), _column(moves, way.x).bool()
    way.x, way.before = torch.where(chosen, high, way.x), torch.where(chosen, tried.low, way.before)
    way.x0 = tried.x0 if way.x0 is None else torch.where(moved, tried.x0, way.x0)
    way.at = [last if take else at for take, last, at in zip(taken, ends, way.at, strict=True)]
    way.h = [h * factor if moving else h for moving, factor, h in zip(moves, factors, way.h, strict=True)]


def _down(begin: float, last: float, end: float, eta: float) -> float:
    """To where the stride goes, for noise to bring it back to `last`."""
    return min(end, -math.log(max(ancestral(math.exp(-begin), math.exp(-last), eta)[0], 1e-30))) if eta else last


def _tried(denoise: Denoise, way: _Way, ends: list[float]) -> _Tried:
    """The second-order estimate with its inner call at a third of the way, and the third-order one, which goes on from there."""
    x, begins = way.x, way.at
    h = [end - begin for begin, end in zip(begins, ends, strict=True)]

    def level(share: float) -> Tensor:
        return _column([math.exp(-(begin + share * each)) for begin, each in zip(begins, h, strict=True)], x)

    def grown(share: float) -> Tensor:
        return _column([math.expm1(share * each) for each in h], x)

    def slope(state: Tensor, share: float) -> tuple[Tensor, Tensor]:
        sigma = level(share)
        clean = denoise(state, sigma.flatten().to(torch.promote_types(x.dtype, torch.float32)))
        return (state - clean) / sigma, clean

    length = _column(h, x)
    first, x0 = slope(x, 0.0)
    second, _ = slope(x - level(1 / 3) * grown(1 / 3) * first, 1 / 3)
    straight = x - level(1.0) * grown(1.0) * first
    low = straight - level(1.0) * 3 / 2 * grown(1.0) * (second - first)
    bend = grown(2 / 3) / (2 / 3 * length) - 1
    third, _ = slope(x - level(2 / 3) * grown(2 / 3) * first - level(2 / 3) * 2 * bend * (second - first), 2 / 3)
    high = straight - level(1.0) * 3 / 2 * (grown(1.0) / length - 1) * (third - first)
    tolerance = (RTOL * torch.maximum(low.abs(), way.before.abs())).clamp(min=ATOL)
    apart = ((low - high) / tolerance).float().flatten(1)
    errors: list[float] = apart.pow(2).mean(1).sqrt().cpu().numpy().tolist()
    return _Tried(low, high, x0, errors)


def _noisy(
    turn: Turn, noise: Noise, options: SamplerOptions, way: _Way, x: Tensor, places: list[tuple[float, float, float]], taken: list[bool]
) -> Tensor:
    """With fresh noise where a stride is taken. Each picture is given its own draws in their order, however the others come on."""
    keeps, ups, rows = [1.0] * len(x), [0.0] * len(x), torch.zeros_like(x)
    for row, (begin, down, last) in enumerate(places):
        if not taken[row]:
            continue
        if way.given[row] == len(way.noise):
            way.noise.append(noise(math.exp(-begin), math.exp(-last)))
        rows[row] = way.noise[way.given[row]][row]
        way.given[row] += 1
        up = math.sqrt(max(0.0, math.exp(-2 * last) - math.exp(-2 * down)))
        keeps[row], ups[row] = turn.renoise(math.exp(-down), math.exp(-last), up)
    return x * _column(keeps, x) + rows * _column(ups, x) * options.s_noise


def _column(values: Sequence[float], x: Tensor) -> Tensor:
    """One number for each picture."""
    return torch.tensor(values, dtype=x.dtype, device=x.device).view(-1, *[1] * (x.ndim - 1))
