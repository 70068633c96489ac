"""UniPC."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, per_image

ORDER = 3


def unipc(denoise: Denoise, turn: Turn, noise: Noise) -> Made:
    """UniPC of order 3 on x0, with B(h) = e^h - 1 ("bh2"): Zhao et al. (2023), arXiv:2302.04867, algorithms 5 to 8.

    One call a step: the prediction at its beginning first corrects where the step before arrived (UniC), then predicts where this one
    does (UniP). The first steps have fewer behind them, and the last ones are of lower order.
    """
    sigma, x, index = turn.sigma, turn.x, len(turn.past)
    x0 = denoise(x, per_image(sigma, x))
    known: tuple[Tensor, ...] = ()
    if turn.remembered:
        x_last, *before = turn.remembered
        known = tuple(before)
        x = _arrived(x_last, known[: _order(index - 1, turn.steps)], (*turn.past, math.inf), sigma, x0)
    known = (x0, *known)[:ORDER]
    predicted = _arrived(x, known[: _order(index, turn.steps)], (sigma, *turn.past), turn.sigma_next)
    return Made(x0, predicted, (x, *known))


def _order(index: int, steps: int) -> int:
    return min(ORDER, index + 1, steps - index)


def _arrived(x: Tensor, known: Sequence[Tensor], levels: Sequence[float], end: float, found: Tensor | None = None) -> Tensor:
    """x at `levels[0]` brought to `end`. `known`: x0 at each of `levels`, the newest first; `found`: x0 at `end`, once it is known."""
    points = [*zip(known[1:], levels[1:], strict=False)]
    points += [(found, end)] if found is not None else []
    ratio = end / levels[0]
    arrived = torch.lerp(known[0], x, ratio)
    if points:
        h = math.log(levels[0] / end)
        places = [math.log(levels[0] / level) / h for _, level in points]
        for (x0, _), place, weight in zip(points, places, _weights(places, h), strict=True):
            arrived.add_(x0 - known[0], alpha=(1 - ratio) * weight / place)
    return arrived


def _weights(places: Sequence[float], h: float) -> list[float]:
    """The paper's a: what makes the step exact for polynomials in lambda up to the number of `places`; of a single one 1/2."""
    if len(places) == 1:
        return [0.5]
    phi = scale = math.expm1(-h)
    wanted: list[float] = []
    for power in range(1, len(places) + 1):
        phi = phi / -h - 1 / math.factorial(power)
        wanted.append(phi * math.factorial(power) / scale)
    powers = np.vander(places, increasing=True).T
    return np.linalg.solve(powers, np.array(wanted)).tolist()
