"""Where the steps lie: against k-diffusion and diffusers, and what a request's schedule means."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from hypothesis import given, settings
from hypothesis import strategies as st

from models.errors import UserError
from pipelines.requests.request import SCHEDULE_NAMES
from pipelines.samplers import SAMPLERS, SCHEDULES, plan, resolve_schedule
from pipelines.samplers.noise_schedule import NoiseSchedule
from tests.support import kdiffusion
from tests.support.analytic import alphas_cumprod

pytestmark = pytest.mark.smoke

NOISE = NoiseSchedule(alphas_cumprod().float())
STEPS = [1, 2, 3, 20, 150]
APPLIES = [(name, schedule) for name, spec in SAMPLERS.items() for schedule in (*spec.schedules, "Automatic")]


def judge() -> Any:
    kept = alphas_cumprod().float()
    return kdiffusion.external().DiscreteSchedule(((1 - kept) / kept).sqrt(), quantize=False)


@pytest.mark.parametrize("steps", STEPS)
def test_normal_is_k_diffusions_discrete_schedule(steps: int) -> None:
    torch.testing.assert_close(plan("Euler", "Normal", steps, NOISE), judge().get_sigmas(steps), rtol=1e-5, atol=0)


@pytest.mark.parametrize("steps", STEPS)
def test_karras_is_k_diffusions(steps: int) -> None:
    expected = kdiffusion.sampling().get_sigmas_karras(steps, NOISE.sigma_min, NOISE.sigma_max)
    torch.testing.assert_close(plan("Euler", "Karras", steps, NOISE), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("steps", STEPS)
def test_exponential_is_k_diffusions(steps: int) -> None:
    expected = kdiffusion.sampling().get_sigmas_exponential(steps, NOISE.sigma_min, NOISE.sigma_max)
    torch.testing.assert_close(plan("Euler", "Exponential", steps, NOISE), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("steps", [1, 2, 4, 20])
def test_sgm_uniform_is_trailing_but_for_whole_timesteps(steps: int) -> None:
    """diffusers rounds to whole timesteps of 1000, one more than there are between the ends: at most one apart."""
    expected = EulerDiscreteScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, timestep_spacing="trailing")
    expected.set_timesteps(steps)
    ours = NOISE.sigma_to_t(plan("Euler", "SGM Uniform", steps, NOISE)[:-1])
    assert (ours - expected.timesteps).abs().max() <= 1


@pytest.mark.parametrize("steps", [2, 3, 7, 20, 50, 150])
def test_ddim_visits_the_timesteps_of_diffusers(steps: int) -> None:
    expected = DDIMScheduler(timestep_spacing="leading", steps_offset=1)
    expected.set_timesteps(steps)
    sigmas = plan("DDIM", "Automatic", steps, NOISE)
    assert NOISE.sigma_to_t(sigmas[:-1], quantize=True).tolist() == expected.timesteps.tolist()
    assert sigmas[-1].item() == NOISE.sigma_min


@pytest.mark.parametrize("steps", [333, 501, 999, 1000])
def test_ddim_can_be_planned_as_finely_as_a_low_strength_with_exact_steps_asks(steps: int) -> None:
    sigmas = plan("DDIM", "Automatic", steps, NOISE)
    assert len(sigmas) == steps + 1 and sigmas[0] <= NOISE.sigma_max
    assert (sigmas[2:] < sigmas[1:-1]).all()


@pytest.mark.parametrize("steps", [1, 2, 4, 7, 8, 33, 50])
def test_lcm_visits_the_timesteps_of_diffusers(steps: int) -> None:
    expected = LCMScheduler()
    expected.set_timesteps(steps)
    assert NOISE.sigma_to_t(plan("LCM", "Automatic", steps, NOISE)[:-1], quantize=True).tolist() == expected.timesteps.tolist()


@pytest.mark.parametrize("quantize", [False, True])
def test_timesteps_and_noise_levels_convert_as_in_k_diffusion(quantize: bool) -> None:
    sigmas = torch.linspace(-5, 4, 997).exp()
    torch.testing.assert_close(NOISE.sigma_to_t(sigmas, quantize), judge().sigma_to_t(sigmas, quantize), rtol=1e-4, atol=2e-3)
    t = torch.linspace(0, 999, 1234)
    torch.testing.assert_close(NOISE.t_to_sigma(t), judge().t_to_sigma(t), rtol=1e-5, atol=0)


@settings(deadline=None)
@given(st.floats(0, 999))
def test_a_timestep_comes_back_from_its_noise_level(t: float) -> None:
    there = NOISE.t_to_sigma(torch.tensor([t]))
    assert abs(NOISE.sigma_to_t(there).item() - t) < 2e-2


def test_noise_levels_out_of_range_and_of_any_shape_are_answered() -> None:
    t = NOISE.sigma_to_t(torch.tensor([[0.0, 1e-9], [99.0, NOISE.sigma_max]]))
    assert t.tolist() == [[0, 0], [999, 999]]


@pytest.mark.parametrize("steps", [1, 2, 3, 20, 50])
@pytest.mark.parametrize(("sampler", "schedule"), APPLIES)
def test_every_plan_falls_without_a_rest(sampler: str, schedule: str, steps: int) -> None:
    sigmas = plan(sampler, schedule, steps, NOISE)
    assert sigmas.shape == (steps + 1,)
    assert sigmas.dtype == torch.float32
    assert (sigmas.diff() < 0).all()


@pytest.mark.parametrize(("sampler", "schedule"), [pair for pair in APPLIES if pair != ("DDIM", "Automatic")])
def test_every_plan_but_ddims_own_goes_from_full_noise_to_nothing(sampler: str, schedule: str) -> None:
    sigmas = plan(sampler, schedule, 8, NOISE)
    assert sigmas[0].item() == pytest.approx(NOISE.sigma_max, rel=1e-5)
    assert sigmas[-1] == 0


def test_a_training_schedule_in_float64_gives_the_same_plan() -> None:
    fine = NoiseSchedule(alphas_cumprod())
    for sampler, schedule in APPLIES:
        torch.testing.assert_close(plan(sampler, schedule, 8, fine), plan(sampler, schedule, 8, NOISE), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("sampler", "resolved"),
    [("DPM++ 2M", "Karras"), ("DPM++ 2M SDE", "Karras"), ("DPM++ SDE", "Karras"), ("Euler", "Normal"), ("Euler a", "Normal"),
     ("Heun", "Normal"), ("DDIM", "DDIM"), ("LCM", "LCM")],
)  # fmt: skip
def test_automatic_means_what_the_sampler_was_made_for(sampler: str, resolved: str) -> None:
    assert resolve_schedule(sampler, "Automatic") == resolved


def test_a_schedule_that_does_not_suit_the_sampler_is_refused_in_a_sentence() -> None:
    with pytest.raises(UserError, match=r"DDIM does not work with the schedule Karras\. Choose Automatic, Normal or SGM Uniform\."):
        plan("DDIM", "Karras", 20, NOISE)
    with pytest.raises(UserError, match="LCM does not work with the schedule Exponential"):
        plan("LCM", "Exponential", 8, NOISE)
    with pytest.raises(UserError, match="Euler does not work with the schedule DDIM"):
        plan("Euler", "DDIM", 20, NOISE)


def test_lcm_says_how_many_steps_it_has() -> None:
    with pytest.raises(UserError, match="at most 50 steps"):
        plan("LCM", "Automatic", 51, NOISE)


def test_every_schedule_of_the_request_has_a_line_in_the_table_and_an_own_function() -> None:
    assert {*SCHEDULE_NAMES, "DDIM", "LCM"} == {"Automatic", *SCHEDULES}
    assert len({spec.function() for spec in SCHEDULES.values()}) == len(SCHEDULES)
    assert all(set(spec.schedules) <= set(SCHEDULE_NAMES) and spec.automatic in SCHEDULES for spec in SAMPLERS.values())
