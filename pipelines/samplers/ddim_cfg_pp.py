"""DDIM CFG++."""

from __future__ import annotations

from pipelines.samplers.moment import Denoise, Made, Noise, Turn, ancestral, both, per_image, raised
from pipelines.samplers.options import USUAL, SamplerOptions

USUAL_GUIDANCE = 12.5  # that is as 1 of the paper's, as A1111 has it: 7.5 is its 0.6


def ddim_cfg_pp(denoise: Denoise, turn: Turn, noise: Noise, options: SamplerOptions = USUAL) -> Made:
    """CFG++: Chung et al. (2024), arXiv:2406.08070, algorithm 2. Options: ddim_eta.

    As DDIM, but the noise that is put back is that which is seen without the prompt: x' = x0 + sigma' (x - u0) / sigma, with guidance
    between 0 and 1.
    """
    sigma, sigma_next = turn.sigma, turn.sigma_next
    guided, without = both(denoise, turn.x, per_image(sigma, turn.x))
    x0 = without + (guided - without) / USUAL_GUIDANCE
    sigma_down, sigma_up = ancestral(sigma, sigma_next, options.ddim_eta) if options.ddim_eta else (sigma_next, 0.0)
    x = x0 + (turn.x - without) * (sigma_down / sigma)
    return Made(x0, raised(turn, x, sigma_down, sigma_up, noise) if sigma_up > 0 else x)
