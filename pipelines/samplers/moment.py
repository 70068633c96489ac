"""The sampler interface: what every sampler takes and yields, in the words of Karras et al. (2022), arXiv:2206.00364.

The state is x = x0 + sigma * noise ("variance exploding"); the family behind `denoise` scales it for its network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from pipelines.samplers.options import SamplerOptions


@dataclass(frozen=True, slots=True)
class Moment:
    """One step is made. The last moment's `x` is the result; whoever wants to stop asks for no further moment."""

    index: int  # 0 .. steps - 1
    sigma: float  # the noise level at which the step began
    x0: Tensor  # (batch, channels, height, width): the newest prediction of the clean latents
    x: Tensor  # the same shape: the state after the step, never changed afterwards


Denoise = Callable[[Tensor, Tensor], Tensor]  # (x, sigma of shape (batch,)) -> x0, in the shape and type of x
Noise = Callable[[float, float], Tensor]  # (sigma, sigma_next) -> unit noise in the shape of x
Sampler = Callable[..., Iterator[Moment]]  # (Denoise, x, sigmas, Noise), and `SamplerOptions` where it has some


def steps(sigmas: Tensor) -> Iterator[tuple[int, float, float]]:
    """(index, sigma, sigma_next) of each step, as plain numbers: one copy from the device instead of one a step."""
    for index, (sigma, sigma_next) in enumerate(pairwise(sigmas.cpu().numpy().tolist())):
        yield index, sigma, sigma_next


def per_image(sigma: float, x: Tensor) -> Tensor:
    """`sigma` once for each image of x, at least in float32: half precision would move the timestep."""
    return x.new_full((x.shape[0],), sigma, dtype=torch.promote_types(x.dtype, torch.float32))


def ancestral(sigma: float, sigma_next: float, eta: float = 1.0) -> tuple[float, float]:
    """(sigma_down, sigma_up): step down to the first, add fresh noise of the second, and arrive at `sigma_next`.

    sigma_down^2 + sigma_up^2 = sigma_next^2, with `eta` times as much fresh noise as the reverse diffusion of DDPM has.
    """
    ratio = sigma_next / sigma
    sigma_up = eta * sigma_next * max(0.0, 1 - ratio * ratio) ** 0.5
    if eta == 1:  # the same, with no rounding on the way
        return sigma_next * ratio, sigma_up
    return max(0.0, sigma_next**2 - sigma_up**2) ** 0.5, sigma_up


def churned(x: Tensor, sigma: float, noise: Noise, options: SamplerOptions, steps: int) -> tuple[Tensor, float]:
    """x and its noise level once the noise before a step is added: Karras et al. (2022), algorithm 2, lines 4 to 6."""
    is_within = options.s_tmin <= sigma <= options.s_tmax
    gamma = min(options.s_churn / steps, math.sqrt(2) - 1) if is_within else 0.0
    if gamma <= 0:
        return x, sigma
    sigma_hat = sigma * (1 + gamma)
    return x + noise(sigma_hat, sigma) * (options.s_noise * math.sqrt(sigma_hat**2 - sigma**2)), sigma_hat
