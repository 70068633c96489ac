"""Restart."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, lifted, per_image
from pipelines.samplers.options import USUAL, SamplerOptions

TOP = 2.0  # the noise level that a restart goes back to, or the nearest one that was visited


def restart(denoise: Denoise, turn: Turn, noise: Noise, options: SamplerOptions = USUAL) -> Made:
    """Heun's steps, some of which are made over again from fresh noise: Xu et al. (2023), arXiv:2306.14878, algorithm 1, with A1111's
    numbers. Two calls a step, one when it ends at 0. Options: s_noise.

    Its own schedule says where: a step that would go up first gets noise up to the top, then goes down to where it ends.
    """
    x, sigma, sigma_next = turn.x, turn.sigma, turn.sigma_next
    if sigma_next > sigma:
        x, sigma = lifted(turn, x, sigma, _top(turn), noise, options.s_noise)
    x0 = denoise(x, per_image(sigma, x))
    if sigma_next == 0:
        return Made(x0, x0)
    x_euler = torch.lerp(x0, x, sigma_next / sigma)
    d = (x - x0) / sigma
    x0 = denoise(x_euler, per_image(sigma_next, x))
    return Made(x0, x + (d + (x_euler - x0) / sigma_next) * ((sigma_next - sigma) / 2))


def _top(turn: Turn) -> float:
    """The nearest level to 2 of those before the first restart; 2 itself in a run that begins after them."""
    return min(_first_way_down(turn), key=lambda level: abs(level - TOP), default=max(TOP, turn.sigma_next))


def _first_way_down(turn: Turn) -> Iterator[float]:
    last = math.inf
    for level in reversed(turn.past):
        if level > last:
            return
        last = level
        if level > turn.sigma_next:
            yield level
