"""Options of samplers: what one may be told besides the noise levels, in the letters of the papers and of k-diffusion. No torch."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SamplerOptions:
    """A sampler is told only those that it declares in `SAMPLERS`; the others have no meaning for it."""

    eta: float = 1.0  # 0 .. 1: share of the reverse diffusion's fresh noise; 0 adds none (Song et al. 2020, formula 16)
    s_noise: float = 1.0  # factor of all noise that is added on the way
    s_churn: float = 0.0  # noise added before the steps, over all of them (Karras et al. 2022, algorithm 2)
    s_tmin: float = 0.0  # the lowest noise level at which it is
    s_tmax: float = math.inf  # and the highest


USUAL = SamplerOptions()
WITHOUT_NOISE = SamplerOptions(eta=0.0)
ANCESTRAL = ("eta", "s_noise")  # for samplers that step too far down and add fresh noise
CHURNED = ("s_churn", "s_tmin", "s_tmax", "s_noise")  # for samplers that add noise first
