"""The samplers on the starter model's own UNet, against k-diffusion and diffusers with their own idea of that UNet."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from torch import Tensor

from models.memory.device import mend_torchvision
from pipelines.samplers import SAMPLERS, plan
from pipelines.samplers.noise_schedule import NoiseSchedule
from tests.support import kdiffusion
from tests.test_samplers import KDIFFUSION

STARTER = Path(__file__).parents[1] / "models" / "starter"
STEPS = 3
KEPT = ("beta_start", "beta_end", "beta_schedule", "prediction_type")

pytestmark = pytest.mark.skipif(not (STARTER / "unet").is_dir(), reason="the starter model has not been trained here")


@dataclass(frozen=True)
class Starter:
    """The UNet in float64, so that two ways of writing the same step stay together, and a prompt that says nothing."""

    unet: Callable[..., Any]
    context: Tensor
    config: dict[str, Any]
    alphas_cumprod: Tensor

    def __call__(self, x: Tensor, t: Tensor) -> Tensor:
        return self.unet(x, t, self.context.expand(len(x), -1, -1), return_dict=False)[0]

    def denoise(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Karras et al. (2022), table 1, for noise prediction; Salimans and Ho (2022), appendix D, for v."""
        level = sigma.view(-1, 1, 1, 1)
        cosine = 1 / (1 + level**2).sqrt()
        output = self(x * cosine, NoiseSchedule(self.alphas_cumprod).sigma_to_t(sigma))
        return x - level * output if self.config["prediction_type"] == "epsilon" else cosine**2 * x - level * cosine * output


@pytest.fixture(scope="module")
def starter() -> Starter:
    mend_torchvision()
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    config = json.loads((STARTER / "scheduler" / "scheduler_config.json").read_text("utf-8"))
    network: Any = UNet2DConditionModel.from_pretrained(STARTER / "unet", local_files_only=True)
    context = torch.randn(1, 77, network.config.cross_attention_dim, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    alphas_cumprod = DDIMScheduler(**{name: config[name] for name in KEPT}).alphas_cumprod.double()
    return Starter(network.double().eval(), context, config, alphas_cumprod)


@pytest.fixture(autouse=True)
def _no_gradients() -> Any:
    with torch.no_grad():
        yield


def fixed_noise(sigma: float, sigma_next: float) -> Tensor:
    """The same noise for the same pair of levels, whoever asks and however they round."""
    seed = round(float(sigma) * 1000) * 100_000 + round(float(sigma_next) * 1000)
    return torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def ours(starter: Starter, name: str, sigmas: Tensor) -> Tensor:
    return list(SAMPLERS[name].walk(starter.denoise, start(sigmas), sigmas, fixed_noise))[-1].x


def start(sigmas: Tensor) -> Tensor:
    return fixed_noise(0, 0) * sigmas[0]


def relative(drawn: Tensor, expected: Tensor) -> float:
    return ((drawn - expected).abs().max() / expected.abs().max()).item()


@pytest.mark.parametrize("name", ["DPM++ 2M", "Euler a", "DPM++ SDE"])  # of several steps, with noise, of several calls
def test_samplers_agree_with_k_diffusion_on_the_starter(name: str, starter: Starter) -> None:
    sigmas = plan(name, "Automatic", STEPS, NoiseSchedule(starter.alphas_cumprod)).double()
    wrapper = {"epsilon": "DiscreteEpsDDPMDenoiser", "v_prediction": "DiscreteVDDPMDenoiser"}[starter.config["prediction_type"]]
    judge = getattr(kdiffusion.external(), wrapper)(starter, starter.alphas_cumprod, quantize=False)
    injected = {"noise_sampler": fixed_noise} if SAMPLERS[name].stochastic else {}
    expected = getattr(kdiffusion.sampling(), KDIFFUSION[name])(judge, start(sigmas), sigmas, disable=True, **injected)
    assert relative(ours(starter, name, sigmas), expected) < 1e-5


def test_ddim_agrees_with_diffusers_on_the_starter(starter: Starter) -> None:
    sigmas = plan("DDIM", "Automatic", STEPS, NoiseSchedule(starter.alphas_cumprod)).double()
    judge = DDIMScheduler(
        **{name: starter.config[name] for name in KEPT},
        timestep_spacing="leading", steps_offset=1, set_alpha_to_one=False, clip_sample=False,
    )  # fmt: skip
    judge.set_timesteps(STEPS)
    latents = start(sigmas) / (1 + sigmas[0] ** 2).sqrt()
    for t in judge.timesteps:
        latents = judge.step(starter(latents, t), int(t), latents, return_dict=False)[0]
    assert relative(ours(starter, "DDIM", sigmas), latents * (1 + sigmas[-1] ** 2).sqrt()) < 1e-4


def test_lcm_agrees_with_diffusers_on_the_starter(starter: Starter) -> None:
    """With the library's boundary scalings, which ours leaves out: they are too near 0 and 1 to show."""
    sigmas = plan("LCM", "Automatic", STEPS, NoiseSchedule(starter.alphas_cumprod)).double()
    judge = LCMScheduler(**{name: starter.config[name] for name in KEPT}, clip_sample=False)
    judge.set_timesteps(STEPS)
    x = start(sigmas)
    for index, t in enumerate(judge.timesteps):
        latents = x / (1 + sigmas[index] ** 2).sqrt()
        x0 = judge.step(starter(latents, t), int(t), latents, generator=torch.Generator(), return_dict=False)[1]
        x = x0 + sigmas[index + 1] * fixed_noise(sigmas[index].item(), sigmas[index + 1].item())
    assert relative(ours(starter, "LCM", sigmas), x) < 1e-4
