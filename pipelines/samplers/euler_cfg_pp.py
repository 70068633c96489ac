"""Euler CFG++."""

from __future__ import annotations

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, both, per_image


def euler_cfg_pp(denoise: Denoise, turn: Turn, noise: Noise) -> Made:
    """Euler's step from what is guided, along what is seen without the prompt: CFG++, Chung et al. (2024), arXiv:2406.08070, algorithm 2.

    As ComfyUI has it: guidance acts as it is, so that 1 is much, and 2 very much.
    """
    x0, without = both(denoise, turn.x, per_image(turn.sigma, turn.x))
    return Made(x0, x0 + (turn.x - without) * (turn.sigma_next / turn.sigma))
