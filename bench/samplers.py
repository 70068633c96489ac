"""What a sampler itself computes in a step, its noise with it, against one call of the network of a full-size Stable Diffusion 1.5.

The network has random weights: how long it takes does not depend on them.
"""

from __future__ import annotations

import json
import time
from functools import partial
from typing import Any

import torch
from torch import Tensor

from bench.paired import Row, Timed, row, take_turns
from models.kits import kit
from models.memory.device import mend_torchvision
from pipelines.samplers import SAMPLERS, plan, sample
from pipelines.samplers.noise import ImageNoise
from pipelines.samplers.noise_schedule import NoiseSchedule

STEPS = 20
LATENTS = (4, 64, 64)  # of 512 x 512 pixels
WORDS, WIDTH = 77, 768
MOST = 0.02  # of a call
CALL = "call of the network"


def measure(rounds: int) -> list[Row]:
    with torch.inference_mode():
        variants: dict[str, Timed] = {CALL: call(network())} | {name: partial(step_of, name) for name in SAMPLERS}
        times = take_turns(variants, min(rounds, 3))
    return [row(f"a step of {name} / {CALL}", times[name], times[CALL], MOST) for name in SAMPLERS]


def network() -> Any:  # Any: diffusers' UNet
    mend_torchvision()
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    unet: Any = UNet2DConditionModel.from_config(json.loads((kit("sd1") / "unet.json").read_text("utf-8")))
    return unet.eval()


def call(unet: Any) -> Timed:  # Any: as above
    """With guidance, so of two samples."""
    x, context = torch.randn(2, *LATENTS), torch.randn(2, WORDS, WIDTH)

    def timed() -> float:
        begin = time.perf_counter()
        unet(x, 500.0, context, return_dict=False)
        return time.perf_counter() - begin

    return timed


def step_of(name: str) -> float:
    """Seconds of one step, with a network that answers at once."""
    schedule = NoiseSchedule(alphas_cumprod())
    sigmas, noise, answer = plan(name, "Automatic", STEPS, schedule), ImageNoise([1], LATENTS), torch.zeros(1, *LATENTS)
    x = noise.first() * sigmas[0]

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        return answer

    begin = time.perf_counter()
    for _ in sample(name, denoise, x, sigmas, noise, trained=schedule):
        pass
    return (time.perf_counter() - begin) / STEPS


def alphas_cumprod() -> Tensor:
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
    return (1 - betas).cumprod(0)
