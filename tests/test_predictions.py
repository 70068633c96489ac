"""Predictions: each against a closed form, and a family of flows that the studio does not know, drawn by every sampler as it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.diffusion_model import DiffusionModel
from models.families.latent_space import LatentSpace
from models.families.prediction import PREDICTIONS
from pipelines import ImageToImage, TextToImage
from pipelines.denoising.vae_decode import to_image
from pipelines.denoising.vae_encode import encode
from pipelines.images.store import Inputs
from pipelines.samplers import SAMPLERS, plan, sample
from pipelines.samplers.noise import ImageNoise
from pipelines.samplers.noise_schedule import CountedSchedule
from pipelines.tasks import img2img, txt2img
from tests.support.drawing import blots, ended, finished, first_noise, levels, task
from tests.support.flow_family import DEVIATION, MEAN, Exploding, Flow, FlowNetwork, end_of, exact, spread_of
from tests.support.toy_weights import load_toy_model, write_toy_model

FLOW = Flow()
FLOW_SCHEDULE = CountedSchedule(FLOW, (1.0, 0.5))
DISTILLED = ("LCM", "TCD")  # for networks that were distilled: they go to the expected data and back, which narrows them
WITHOUT_ITS_OWN = CountedSchedule(Exploding(), (1.0, 0.5))
STILL = [name for name, spec in SAMPLERS.items() if spec.noise == "none"]
NOISY = [name for name in SAMPLERS if name not in (*STILL, *DISTILLED, "Restart")]  # which goes back to a level that no flow has
REQUEST = TextToImage(prompt="a red house", steps=40, seed=5, width=64, height=64, sampler="DPM++ 2M", guidance_scale=1)


def flowed(name: str, steps: int, shape: tuple[int, ...] = (4, 8, 8), renoise: bool = True) -> tuple[Tensor, Tensor]:
    """What begins as noise, and what a sampler makes of it."""
    noise = ImageNoise([3], shape)
    sigmas = plan(name, "Automatic", steps, FLOW_SCHEDULE)
    x = FLOW.noised(noise.first(), sigmas[0])
    trained = FLOW_SCHEDULE if renoise else WITHOUT_ITS_OWN
    return x, [moment.x for moment in sample(name, exact, x, sigmas, noise, trained=trained)][-1]


@pytest.mark.parametrize("name", STILL)
def test_a_sampler_without_noise_follows_a_flow_to_its_end(name: str) -> None:
    error, coarse = (relative(*flowed(name, steps)) for steps in (40, 20))
    assert error < 0.04 and error < 0.7 * coarse


def relative(x: Tensor, found: Tensor) -> float:
    wanted = end_of(x, 1.0)
    return ((found - wanted).abs().max() / wanted.abs().max()).item()


@pytest.mark.parametrize("name", NOISY)
def test_a_sampler_with_noise_keeps_what_a_flow_is_of_by_the_familys_own_renoise(name: str) -> None:
    mean, deviation = spread_of(flowed(name, 50, (4, 24, 24))[1])
    assert abs(mean - MEAN) < 0.15 and abs(deviation - DEVIATION) < 0.15
    wrong = spread_of(flowed(name, 50, (4, 24, 24), renoise=False)[1])
    assert abs(wrong[1] - DEVIATION) > abs(deviation - DEVIATION)


def test_lcm_noises_its_prediction_as_a_flow_does() -> None:
    noise, sigmas = ImageNoise([3], (4, 8, 8)), plan("LCM", "Automatic", 2, FLOW_SCHEDULE)
    x = FLOW.noised(noise.first(), sigmas[0])
    [first, _] = sample("LCM", exact, x, sigmas, noise, trained=FLOW_SCHEDULE)
    again = ImageNoise([3], (4, 8, 8))
    again.first()
    torch.testing.assert_close(first.x, FLOW.noised(again(1, 0), sigmas[1], first.x0))


def test_noise_before_a_step_joins_a_flow_as_it_does_elsewhere() -> None:
    from pipelines.samplers.options import SamplerOptions

    noise, sigmas = ImageNoise([3], (4, 24, 24)), plan("Heun", "Automatic", 30, FLOW_SCHEDULE)
    churn = SamplerOptions(s_churn=10)
    found = [moment.x for moment in sample("Heun", exact, noise.first(), sigmas, noise, churn, trained=FLOW_SCHEDULE)][-1]
    assert abs(spread_of(found)[1] - DEVIATION) < 0.15


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("flow")))


@pytest.fixture
def model(toy: DiffusionModel, monkeypatch: pytest.MonkeyPatch) -> DiffusionModel:
    """The networks of a toy around a UNet that answers as flows do."""
    monkeypatch.setitem(PREDICTIONS, "flow", FLOW)
    return replace(toy, unet=FlowNetwork(), prediction_type="flow")  # pyright: ignore[reportArgumentType]


def decoded(model: DiffusionModel, latents: Tensor) -> Tensor:
    with torch.inference_mode():
        pixels = model.vae.decode(latents / model.vae.config["scaling_factor"], return_dict=False)[0]  # pyright: ignore[reportArgumentType]
    return levels(to_image(pixels))


def test_a_family_of_flows_draws_through_the_loop(model: DiffusionModel) -> None:
    [picture] = finished(txt2img.batches(task(REQUEST, model)))
    wanted = decoded(model, end_of(first_noise(5, 64, 64), 1.0))
    assert int((levels(picture.image) - wanted).abs().max()) <= 6
    times = model.unet.times  # pyright: ignore[reportAttributeAccessIssue]
    assert len(times) == 40 and times[0] == 1.0, "it is told the level itself, from 1 on"


def test_a_family_of_flows_draws_over_a_picture(model: DiffusionModel, tmp_path: Path) -> None:
    inputs, picture = Inputs(tmp_path), blots((64, 64))
    request = ImageToImage(
        prompt="a red house", steps=40, seed=5, width=64, height=64, sampler="DPM++ 2M", guidance_scale=1, denoising_strength=0.6,
        image=inputs.keep(picture),
    )  # fmt: skip
    [drawn] = finished(img2img.batches(task(request, model, inputs)))
    sigma = plan("DPM++ 2M", "Automatic", 40, FLOW_SCHEDULE)[16].item()
    clean = ended(encode(model, picture))[0]
    wanted = decoded(model, end_of((1 - sigma) * clean + sigma * first_noise(5, 64, 64), sigma))
    assert int((levels(drawn.image) - wanted).abs().max()) <= 6


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_what_a_network_says_of_noisy_latents_leads_back_to_the_clean_ones(kind: str) -> None:
    prediction, level = PREDICTIONS[kind], torch.tensor(1.7)
    clean, noise = torch.randn(2, 1, 4, 8, 8, generator=torch.Generator().manual_seed(1)).double()
    x = prediction.noised(noise, level, clean)
    cosine = 1 / (level**2 + 1).sqrt()
    says = noise if kind == "epsilon" else cosine * noise - level * cosine * clean
    torch.testing.assert_close(prediction.clean(x, says, level), clean)


def test_latents_with_a_mean_come_back_from_the_vae_as_they_went_there() -> None:
    space = LatentSpace(2, scaling_factor=0.3, means=(0.5, -2.0))
    latents = torch.randn(1, 2, 3, 3, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(space.of_vae(space.to_vae(latents)), latents)
    torch.testing.assert_close(space.of_vae(torch.tensor([0.5, -2.0]).view(1, 2, 1, 1)), torch.zeros(1, 2, 1, 1))
