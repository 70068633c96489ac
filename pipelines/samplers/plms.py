"""PLMS."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, per_image

# Of the newest slope, of the one before, ...: Adams and Bashforth's for steps of one length, whatever length they have.
WEIGHTS = ((1.0,), (3 / 2, -1 / 2), (23 / 12, -16 / 12, 5 / 12), (55 / 24, -59 / 24, 37 / 24, -9 / 24))


def plms(denoise: Denoise, turn: Turn, noise: Noise) -> Made:
    """Pseudo linear multistep: Liu et al. (2022), arXiv:2202.09778, formulas 9 and 12, as in the first Stable Diffusion.

    One call a step, and one more in the first of several, which is checked at its end as Heun's are. In these coordinates the
    paper's transfer part is a straight line along the predicted noise.
    """
    sigma, sigma_next, x = turn.sigma, turn.sigma_next, turn.x
    x0 = denoise(x, per_image(sigma, x))
    slopes = ((x - x0) / sigma, *turn.remembered)
    if turn.remembered:
        return Made(x0, x + _combined(slopes) * (sigma_next - sigma), slopes[:3])
    ahead = torch.lerp(x0, x, sigma_next / sigma)
    if turn.steps == 1:
        return Made(x0, ahead)
    checked = (ahead - denoise(ahead, per_image(sigma_next, x))) / sigma_next
    return Made(x0, x + (slopes[0] + checked) * ((sigma_next - sigma) / 2), slopes)


def _combined(slopes: Sequence[Tensor]) -> Tensor:
    weights = WEIGHTS[len(slopes) - 1]
    combined = slopes[0] * weights[0]
    for slope, weight in zip(slopes[1:], weights[1:], strict=True):
        combined.add_(slope, alpha=weight)
    return combined
