"""The sampler interface: what every sampler takes and gives, in the words of Karras et al. (2022), arXiv:2206.00364.

The state is x = x0 + sigma * noise ("variance exploding"); the family behind `denoise` scales it for its network.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from models.families.prediction import EPSILON, Renoise
from pipelines.samplers.noise_schedule import NoiseSchedule
from pipelines.samplers.options import SamplerOptions


@dataclass(frozen=True, slots=True)
class Moment:
    """One step is made: all that is known then, so that whoever has it can go on from there. The last moment's `x` is the result; whoever
    wants to stop asks for no further moment.
    """

    index: int  # 0 .. steps - 1
    sigma: float  # the noise level at which the step began
    x0: Tensor  # (batch, channels, height, width): the newest prediction of the clean latents
    x: Tensor  # the same shape: the state after the step, never changed afterwards
    remembered: tuple[Tensor, ...] = ()  # the same shape each: what the sampler takes along to its next step
    draws: int = 0  # how often it has asked for noise so far


@dataclass(frozen=True, slots=True)
class Turn:
    """What a sampler knows when it makes a step. It keeps nothing to itself: what the next step needs it gives back."""

    x: Tensor  # (batch, channels, height, width): the state at `sigma`; not to be changed
    sigma: float
    sigma_next: float  # where the step ends, 0 .. sigma
    past: tuple[float, ...]  # where the steps before began, the newest first; empty before the first one
    steps: int  # of the whole run
    remembered: tuple[Tensor, ...] = ()  # what the step before gave back; nothing before the first one
    trained: NoiseSchedule | None = None  # the model's levels, for what steps by timesteps

    @property
    def renoise(self) -> Renoise:
        """How noise is added in the model's family."""
        return (self.trained.prediction if self.trained else EPSILON).renoise


@dataclass(frozen=True, slots=True)
class Made:
    """What a step has made."""

    x0: Tensor  # the newest prediction of the clean latents
    x: Tensor  # the state at `sigma_next`
    remembered: tuple[Tensor, ...] = ()  # for the next step


Denoise = Callable[[Tensor, Tensor], Tensor]  # (x, sigma of shape (batch,)) -> x0, in the shape and type of x
Noise = Callable[[float, float], Tensor]  # (sigma, sigma_next) -> unit noise in the shape of x
Sampler = Callable[..., Made]  # one step of it: (Denoise, Turn, Noise), and `SamplerOptions` where it has some


def both(denoise: Denoise, x: Tensor, sigma: Tensor) -> tuple[Tensor, Tensor]:
    """x0 as a call predicts it, and what is predicted without the prompt, where a denoiser tells them apart (`SteppedDenoiser.both`)."""
    apart = getattr(denoise, "both", None)
    if apart is None:
        x0 = denoise(x, sigma)
        return x0, x0
    return apart(x, sigma)


def walk(
    sampler: Sampler,
    denoise: Denoise,
    x: Tensor,
    sigmas: Tensor,
    noise: Noise,
    *options: SamplerOptions,
    start: Moment | None = None,
    trained: NoiseSchedule | None = None,
) -> Iterator[Moment]:
    """One moment a step, from x at `sigmas[0]`; or those that come after `start`, a moment of the same run. `trained`: the model's
    levels; some samplers do nothing without.
    """
    levels: list[float] = sigmas.cpu().numpy().tolist()  # one copy from the device instead of one a step
    counted = Counted(noise, start.draws if start else 0)
    x, remembered = (start.x, start.remembered) if start else (x, ())
    for index in range(start.index + 1 if start else 0, len(levels) - 1):
        past = tuple(reversed(levels[:index]))
        turn = Turn(x, levels[index], levels[index + 1], past, len(levels) - 1, remembered, trained)
        made = sampler(denoise, turn, counted, *options)
        x, remembered = made.x, made.remembered
        yield Moment(index, levels[index], made.x0, x, remembered, counted.draws)


class Counted:
    """Noise that knows how often it was asked for."""

    def __init__(self, noise: Noise, draws: int = 0) -> None:
        self._noise, self.draws = noise, draws

    def __call__(self, sigma: float, sigma_next: float) -> Tensor:
        self.draws += 1
        return self._noise(sigma, sigma_next)


def timestep_of(turn: Turn, sigma: float) -> float:
    """Of a noise level, whole or not."""
    assert turn.trained, "this sampler steps by the model's timesteps"
    return turn.trained.sigma_to_t(torch.tensor([sigma])).item()


def trained_level(turn: Turn, timestep: int) -> float:
    """The noise level of a whole timestep."""
    assert turn.trained, "this sampler steps by the model's timesteps"
    return turn.trained.sigmas[timestep].item()


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


def raised(turn: Turn, x: Tensor, down: float, up: float, noise: Noise, s_noise: float = 1.0, end: float | None = None) -> Tensor:
    """x from the level `down` up to `end`, where the turn ends if nothing else is said, with fresh noise: as `ancestral` says, or as the
    family has it. `up`: the root of end^2 - down^2.
    """
    end = turn.sigma_next if end is None else end
    keep, up = turn.renoise(down, end, up)
    return torch.add(x if keep == 1 else x * keep, noise(turn.sigma, end), alpha=up * s_noise)


def churned(turn: Turn, noise: Noise, options: SamplerOptions) -> tuple[Tensor, float]:
    """x and its noise level once the noise before a step is added: Karras et al. (2022), algorithm 2, lines 4 to 6."""
    x, sigma = turn.x, turn.sigma
    is_within = options.s_tmin <= sigma <= options.s_tmax
    gamma = min(options.s_churn / turn.steps, math.sqrt(2) - 1) if is_within else 0.0
    if gamma <= 0:
        return x, sigma
    sigma_hat = sigma * (1 + gamma)
    return lifted(turn, x, sigma, sigma_hat, noise, options.s_noise)


def lifted(turn: Turn, x: Tensor, sigma: float, level: float, noise: Noise, s_noise: float) -> tuple[Tensor, float]:
    """x and its noise level once it is brought from `sigma` up to `level`, before a step; as it was where the family has no such level."""
    keep, up = turn.renoise(sigma, level, math.sqrt(level**2 - sigma**2))
    if not up:
        return x, sigma
    return (x if keep == 1 else x * keep) + noise(level, sigma) * (s_noise * up), level
