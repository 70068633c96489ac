"""LCM."""

from __future__ import annotations

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, per_image, raised


def lcm(denoise: Denoise, turn: Turn, noise: Noise) -> Made:
    """Multistep consistency sampling: Luo et al. (2023), arXiv:2310.04378, algorithm 3. For distilled models.

    Each step predicts x0 and noises it afresh to the next level. The paper's boundary scalings c_skip and c_out
    belong to the model; at its lowest timestep, 19, they differ from 0 and 1 by less than 7e-6.
    """
    sigma, sigma_next = turn.sigma, turn.sigma_next
    x0 = denoise(turn.x, per_image(sigma, turn.x))
    return Made(x0, raised(turn, x0, 0.0, sigma_next, noise) if sigma_next > 0 else x0)
