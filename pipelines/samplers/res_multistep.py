"""RES multistep."""

from __future__ import annotations

from pipelines.samplers.dpmpp_2m_sde_heun import dpmpp_2m_sde_heun
from pipelines.samplers.moment import Denoise, Made, Noise, Turn
from pipelines.samplers.options import WITHOUT_NOISE


def res_multistep(denoise: Denoise, turn: Turn, noise: Noise) -> Made:
    """Refined exponential solver, multistep of order 2: Zhang et al. (2023), arXiv:2308.02157, in lambda = -log sigma. One call a step.

    Its weights (phi 1 and phi 2 of the exponential integrator) are those of DPM++ 2M SDE Heun with no noise.
    """
    return dpmpp_2m_sde_heun(denoise, turn, noise, WITHOUT_NOISE)
