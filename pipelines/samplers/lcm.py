"""LCM."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pipelines.samplers.moment import Denoise, Moment, Noise, per_image, steps


def lcm(denoise: Denoise, x: Tensor, sigmas: Tensor, noise: Noise) -> Iterator[Moment]:
    """Multistep consistency sampling: Luo et al. (2023), arXiv:2310.04378, algorithm 3. For distilled models.

    Each step predicts x0 and noises it afresh to the next level. The paper's boundary scalings c_skip and c_out
    belong to the model; at its lowest timestep, 19, they differ from 0 and 1 by less than 7e-6.
    """
    for index, sigma, sigma_next in steps(sigmas):
        x0 = denoise(x, per_image(sigma, x))
        x = torch.add(x0, noise(sigma, sigma_next), alpha=sigma_next) if sigma_next > 0 else x0
        yield Moment(index, sigma, x0, x)
