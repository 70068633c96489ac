"""Euler a CFG++."""

from __future__ import annotations

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, ancestral, both, per_image, raised
from pipelines.samplers.options import USUAL, SamplerOptions


def euler_ancestral_cfg_pp(denoise: Denoise, turn: Turn, noise: Noise, options: SamplerOptions = USUAL) -> Made:
    """As Euler CFG++ (Chung et al. 2024, arXiv:2406.08070), but too far down, then up again with fresh noise. Options: eta, s_noise."""
    x0, without = both(denoise, turn.x, per_image(turn.sigma, turn.x))
    sigma_down, sigma_up = ancestral(turn.sigma, turn.sigma_next, options.eta)
    x = x0 + (turn.x - without) * (sigma_down / turn.sigma)
    return Made(x0, raised(turn, x, sigma_down, sigma_up, noise, options.s_noise) if sigma_up > 0 else x)
