"""Options of samplers and of schedules, in the letters of the papers and of k-diffusion. No torch.

What a request holds of them are fields of the same names (`pipelines.requests.drawing`); here is what they mean where they are computed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SamplerOptions:
    """What a sampler may be told besides the noise levels. It is told only those that it declares in `SAMPLERS`; the others have no
    meaning for it.
    """

    eta: float = 1.0  # 0 .. 1: share of the reverse diffusion's fresh noise; 0 adds none (Song et al. 2020, formula 16)
    ddim_eta: float = 0.0  # the same of DDIM, which adds none unless it is told to
    s_noise: float = 1.0  # factor of all noise that is added on the way
    s_churn: float = 0.0  # noise added before the steps, over all of them (Karras et al. 2022, algorithm 2)
    s_tmin: float = 0.0  # the lowest noise level at which it is
    s_tmax: float = math.inf  # and the highest
    gamma: float = 0.3  # 0 .. 1: share of the way that TCD goes too far, and back with fresh noise


USUAL = SamplerOptions()
WITHOUT_NOISE = SamplerOptions(eta=0.0)
ANCESTRAL = ("eta", "s_noise")  # for samplers that step too far down and add fresh noise
CHURNED = ("s_churn", "s_tmin", "s_tmax", "s_noise")  # for samplers that add noise first


@dataclass(frozen=True, slots=True)
class ScheduleOptions:
    """What a schedule may be told besides the number of steps; those alone that it declares in `SCHEDULES`. 0: its own."""

    sigma_min: float = 0.0  # the last noise level but 0, in place of the model's lowest
    sigma_max: float = 0.0  # the first one, in place of the model's highest
    rho: float = 0.0  # the exponent: the larger, the shorter the last steps
    beta_alpha: float = 0.6  # of the Beta distribution: the smaller, the denser the high levels
    beta_beta: float = 0.6  # and the low ones
    sigmas: tuple[float, ...] = ()  # one's own levels, falling, above 0


USUAL_SCHEDULE = ScheduleOptions()
ENDS = ("sigma_min", "sigma_max")  # for schedules that are a formula between two levels
BETA = ("beta_alpha", "beta_beta")
