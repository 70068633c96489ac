"""SA-Solver."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, per_image, timestep_of
from pipelines.samplers.options import USUAL, SamplerOptions

PREDICTS, CORRECTS = 3, 4  # points that each goes by
NOISY = (200.0, 800.0)  # timesteps of a thousand between which noise is added


def sa_solver(denoise: Denoise, turn: Turn, noise: Noise, options: SamplerOptions = USUAL) -> Made:
    """Stochastic Adams: Xue et al. (2023), arXiv:2309.05019, algorithm 1, on x0, with the orders that ComfyUI has. Options: eta, s_noise.

    One call a step: its prediction first corrects where the step before arrived, with that step's own noise, then predicts where this one
    does. eta is the paper's tau between the timesteps 200 and 800; elsewhere it is 0.
    """
    sigma, sigma_next, x, index = turn.sigma, turn.sigma_next, turn.x, len(turn.past)
    x0 = denoise(x, per_image(sigma, x))
    known: tuple[Tensor, ...] = (x0,)
    left = turn.steps - index
    if turn.remembered:
        x_last, drawn, *before = turn.remembered
        known = (x0, *before)
        points = known[: min(CORRECTS, left + 2, len(known))]
        tau = _tau(turn, turn.past[0], options)
        x = _arrived(x_last, points, (sigma, *turn.past), turn.past[0], sigma, tau) * _shares(turn, turn.past[0], sigma, tau)[0] + drawn
    if sigma_next == 0:
        return Made(x0, x0)
    tau = _tau(turn, sigma, options)
    keep, fresh = _shares(turn, sigma, sigma_next, tau)
    drawn = noise(sigma, sigma_next) * (fresh * options.s_noise) if fresh else torch.zeros_like(x)
    predicted = _arrived(x, known[: min(PREDICTS, left, len(known))], (sigma, *turn.past), sigma, sigma_next, tau) * keep + drawn
    return Made(x0, predicted, (x, drawn, *known[: CORRECTS - 1]))


def _tau(turn: Turn, sigma: float, options: SamplerOptions) -> float:
    low, high = NOISY
    return options.eta if low <= timestep_of(turn, sigma) <= high else 0.0


def _shares(turn: Turn, begin: float, end: float, tau: float) -> tuple[float, float]:
    """What is kept where a step without noise has gone too far down, and how much noise joins it."""
    h = math.log(begin / end)
    return turn.renoise(end * math.exp(-(tau**2) * h), end, end * math.sqrt(-math.expm1(-2 * tau**2 * h)))


def _arrived(x: Tensor, known: Sequence[Tensor], levels: Sequence[float], begin: float, end: float, tau: float) -> Tensor:
    """x at `begin` brought to `end`, without noise. `known`: x0 at each of `levels`: they are taken for a polynomial in log sigma."""
    a, h = 1 + tau**2, math.log(begin / end)
    places = [math.log(begin / level) for level, _ in zip(levels, known, strict=False)]
    moments = [-math.expm1(-a * h)]
    for power in range(1, len(known)):
        moments.append(h**power - power / a * moments[-1])
    if len(known) == 2:
        moments[1] = a * h**2 / 2  # as near, and better in few steps, says the paper
    weights: list[float] = np.linalg.solve(np.vander(places, increasing=True).T, np.array(moments)).tolist()
    arrived = x * math.exp(-a * h)
    for x0, weight in zip(known, weights, strict=True):
        arrived.add_(x0, alpha=weight)
    return arrived
