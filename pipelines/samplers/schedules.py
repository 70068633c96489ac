"""Schedules: from a number of steps to noise levels, highest first.

Each function gives `steps` levels and the one at which the last step ends: float32, (steps + 1,).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import betaincinv
from torch import Tensor

from models.errors import UserError
from pipelines.samplers.noise_schedule import NoiseSchedule
from pipelines.samplers.options import USUAL_SCHEDULE, ScheduleOptions
from pipelines.samplers.own_levels import NONE

LEAST_RHO = 0.1  # below it the powers of the levels leave the range of numbers
LCM_TIMESTEPS = 50  # how many of the training timesteps a latent consistency model was distilled on


def normal(steps: int, noise_schedule: NoiseSchedule, options: ScheduleOptions = USUAL_SCHEDULE) -> Tensor:
    """Even in the training timesteps, both ends included (k-diffusion, DiscreteSchedule.get_sigmas)."""
    return _to_zero(noise_schedule.t_to_sigma(torch.linspace(*_timesteps(noise_schedule, options), steps)))


def karras(steps: int, noise_schedule: NoiseSchedule, options: ScheduleOptions = USUAL_SCHEDULE) -> Tensor:
    """Even in sigma^(1/rho), rho = 7: Karras et al. (2022), arXiv:2206.00364, formula 5. With rho 1 it is even in sigma."""
    rho = _rho(options) or 7
    highest, lowest = _ends(noise_schedule, options)
    ramp = torch.linspace(highest ** (1 / rho), lowest ** (1 / rho), steps)
    return _to_zero(ramp**rho)


def exponential(steps: int, noise_schedule: NoiseSchedule, options: ScheduleOptions = USUAL_SCHEDULE) -> Tensor:
    """Even in log sigma; with a rho its ramp to that power (k-diffusion, get_sigmas_polyexponential)."""
    highest, lowest = (math.log(end) for end in _ends(noise_schedule, options))
    if _rho(options) in (0, 1):
        return _to_zero(torch.linspace(highest, lowest, steps).exp())
    ramp = torch.linspace(1, 0, steps, dtype=torch.float64) ** options.rho
    return _to_zero((ramp * (highest - lowest) + lowest).exp())


def sgm_uniform(steps: int, noise_schedule: NoiseSchedule, options: ScheduleOptions = USUAL_SCHEDULE) -> Tensor:
    """Even in the training timesteps, the last one left out: Stability's generative-models, "trailing" elsewhere."""
    return _to_zero(noise_schedule.t_to_sigma(torch.linspace(*_timesteps(noise_schedule, options), steps + 1)[:-1]))


def ddim(steps: int, noise_schedule: NoiseSchedule) -> Tensor:
    """Every (N // steps)th training timestep from 1, ending at timestep 0: the "leading" spacing of Stable Diffusion 1.

    A trace of noise (sigma 0.03) therefore stays, as it does in the original. One step would begin at timestep 1, where
    there is nothing left to draw; it begins at the last timestep instead. Of N steps the first two share that one (as in A1111 1.10,
    modules/sd_samplers_timesteps.py).
    """
    stride = len(noise_schedule) // steps
    last = len(noise_schedule) - 1
    timesteps = (torch.arange(steps).flip(0) * stride + 1).clamp(max=last) if steps > 1 else torch.tensor([last])
    return noise_schedule.sigmas[torch.cat([timesteps, timesteps.new_zeros(1)])]


def lcm(steps: int, noise_schedule: NoiseSchedule) -> Tensor:
    """`steps` of the 50 timesteps the model was distilled on, evenly from the last: Luo et al. (2023), arXiv:2310.04378."""
    if steps > LCM_TIMESTEPS:
        raise UserError(f"LCM draws in at most {LCM_TIMESTEPS} steps, and 4 to 8 are usual. Lower the steps.")
    distilled = torch.arange(LCM_TIMESTEPS, 0, -1) * (len(noise_schedule) // LCM_TIMESTEPS) - 1
    return _to_zero(noise_schedule.sigmas[distilled[torch.arange(steps) * LCM_TIMESTEPS // steps]])


def restart(steps: int, noise_schedule: NoiseSchedule) -> Tensor:
    """Karras, and from 20 steps on a part of it over again: A1111's Restart. The only plan that does not fall from step to step.

    From 20 steps on nine of them go once more from about 2 to about 0.1, from 36 on a quarter of them twice.
    """
    again, times = (steps // 4, 2) if steps >= 36 else (9, 1) if steps >= 20 else (0, 0)
    sigmas = karras(steps - again * times, noise_schedule)
    top, bottom = (int((sigmas - level).abs().argmin()) for level in (2.0, 0.1))
    first, last = (sigmas[place].item() ** (1 / 7) for place in (top, bottom))
    part = (torch.linspace(first, last, again + 1) ** 7)[:-1]
    part[:1] = sigmas[bottom]  # it begins where the way down has come to
    return torch.cat([sigmas[:bottom], *[part] * times, sigmas[bottom:]])


def dpm_fast(steps: int, noise_schedule: NoiseSchedule) -> Tensor:
    """Where the calls of DPM fast lie, without noise on the way: strides even in log sigma, of three calls, the last ones of fewer.

    It ends at the lowest trained level, so a trace of noise stays, as it does in k-diffusion.
    """
    count = steps // 3 + 1
    orders = [3] * (count - 2) + [2, 1] if steps % 3 == 0 else [3] * (count - 1) + [steps % 3]
    shares = [(stride + call / order) / count for stride, order in enumerate(orders) for call in range(order)]
    highest, lowest = math.log(noise_schedule.sigma_max), math.log(noise_schedule.sigma_min)
    return torch.tensor([highest + (lowest - highest) * share for share in (*shares, 1.0)], dtype=torch.float64).exp()


def dpm_adaptive(steps: int, noise_schedule: NoiseSchedule) -> Tensor:
    """The parts into which the way of DPM adaptive is divided, even in log sigma down to the lowest trained level; strides are its own."""
    highest, lowest = math.log(noise_schedule.sigma_max), math.log(noise_schedule.sigma_min)
    return torch.linspace(highest, lowest, steps + 1, dtype=torch.float64).exp()


def simple(steps: int, noise_schedule: NoiseSchedule) -> Tensor:
    """Every (N / steps)th trained level from the last, cut to whole ones: ComfyUI's simple."""
    places = [int(index * len(noise_schedule) / steps) for index in range(steps)]
    return _to_zero(noise_schedule.sigmas.flip(0)[places])


def turbo(steps: int, noise_schedule: NoiseSchedule) -> Tensor:
    """Whole training timesteps, N / steps apart, the last one first: Forge's Turbo, and diffusers' "trailing" spacing."""
    timesteps = torch.arange(steps, 0, -1) * (len(noise_schedule) / steps) - 1
    return _to_zero(noise_schedule.sigmas[timesteps.round().long()])


def beta(steps: int, noise_schedule: NoiseSchedule, options: ScheduleOptions = USUAL_SCHEDULE) -> Tensor:
    """Timesteps by a Beta distribution, dense at both ends: Lee et al. (2024), arXiv:2407.12173, as ComfyUI has it.

    ComfyUI rounds to whole timesteps and drops those that come twice; here they stay between two, so that no step is lost.
    """
    shares = _beta_shares(1 - np.linspace(0, 1, steps, endpoint=False), options)
    return _to_zero(noise_schedule.t_to_sigma(shares * (len(noise_schedule) - 1)))


def beta_sigma(steps: int, noise_schedule: NoiseSchedule, options: ScheduleOptions = USUAL_SCHEDULE) -> Tensor:
    """Noise levels by a Beta distribution, where `beta` takes timesteps: what A1111 1.10 calls Beta."""
    shares = _beta_shares(1 - np.linspace(0, 1, steps), options)
    highest, lowest = _ends(noise_schedule, options)
    return _to_zero(lowest + shares * (highest - lowest))


def _beta_shares(shares: NDArray[np.float64], options: ScheduleOptions) -> Tensor:
    """Where these shares of the distribution end, 0 .. 1."""
    return torch.tensor(betaincinv(options.beta_alpha, options.beta_beta, shares).tolist(), dtype=torch.float64)


def kl_optimal(steps: int, noise_schedule: NoiseSchedule, options: ScheduleOptions = USUAL_SCHEDULE) -> Tensor:
    """Even in the arctangent of sigma: Sabour et al. (2024), arXiv:2404.14507, theorem 3.1, then to 0, as ComfyUI does.

    A1111 stops at the lowest trained level, so that a trace of noise stays.
    """
    highest, lowest = (math.atan(end) for end in _ends(noise_schedule, options))
    return _to_zero(torch.linspace(highest, lowest, steps, dtype=torch.float64).tan())


def align_your_steps(steps: int, noise_schedule: NoiseSchedule) -> Tensor:
    """Between the levels that were found best for the family, linear in log sigma: Sabour et al. (2024), arXiv:2404.14507."""
    return _to_zero(_between(noise_schedule.aligned_levels, steps))


def own_levels(steps: int, noise_schedule: NoiseSchedule, options: ScheduleOptions = USUAL_SCHEDULE) -> Tensor:
    """The levels that are written down, one a step where there are as many, else between them as in Align Your Steps."""
    if not options.sigmas:
        raise UserError(NONE)
    return _to_zero(torch.tensor(options.sigmas) if len(options.sigmas) == steps else _between(options.sigmas, steps))


def _between(written: Sequence[float], steps: int) -> Tensor:
    """As many levels as there are steps, evenly between the places of those that are written, linear in log sigma."""
    places = np.linspace(0, len(written) - 1, steps)
    logarithms: list[float] = np.interp(places, np.arange(len(written)), np.log(written)).tolist()
    return torch.tensor(logarithms, dtype=torch.float64).exp()


def _ends(noise_schedule: NoiseSchedule, options: ScheduleOptions) -> tuple[float, float]:
    """The highest level and the lowest but 0: the model's, or what is asked for instead. Raises `UserError` where they do not fall."""
    highest, lowest = options.sigma_max or noise_schedule.sigma_max, options.sigma_min or noise_schedule.sigma_min
    if lowest >= highest:
        raise UserError(f"The lowest noise level, {lowest:g}, is not below the highest, {highest:g}. Move one of them; 0 is the model's.")
    return highest, lowest


def _rho(options: ScheduleOptions) -> float:
    if 0 < options.rho < LEAST_RHO:
        raise UserError(f"Rho is {LEAST_RHO} at the least, or 0 for the schedule's own; {options.rho:g} is neither.")
    return options.rho


def _timesteps(noise_schedule: NoiseSchedule, options: ScheduleOptions) -> tuple[float, float]:
    """The timesteps of both ends. Levels that the model was not trained on give its own."""
    first, last = (noise_schedule.sigma_to_t(torch.tensor([end])).item() for end in _ends(noise_schedule, options))
    return first if options.sigma_max else len(noise_schedule) - 1, last if options.sigma_min else 0


def _to_zero(sigmas: Tensor) -> Tensor:
    return torch.cat([sigmas, sigmas.new_zeros(1)])
