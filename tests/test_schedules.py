"""Where the steps lie: against k-diffusion and diffusers, and what a request's schedule means."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from diffusers.schedulers.scheduling_utils import AysSchedules
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from models.errors import UserError
from models.families import SD1, SDXL, Family
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


@pytest.mark.parametrize("steps", STEPS)
def test_exponential_is_a_polyexponential_too(steps: int) -> None:
    """With the exponent that A1111 leaves as it is: it needs no line of its own."""
    expected = kdiffusion.sampling().get_sigmas_polyexponential(steps, NOISE.sigma_min, NOISE.sigma_max)
    torch.testing.assert_close(plan("Euler", "Exponential", steps, NOISE), expected, rtol=1e-5, atol=0)


@pytest.mark.parametrize("steps", STEPS)
def test_turbo_visits_the_timesteps_of_diffusers(steps: int) -> None:
    expected = EulerDiscreteScheduler(timestep_spacing="trailing")
    expected.set_timesteps(steps)
    assert NOISE.sigma_to_t(plan("Euler", "Turbo", steps, NOISE)[:-1], quantize=True).tolist() == expected.timesteps.tolist()


def test_simple_takes_trained_levels_from_the_last() -> None:
    assert NOISE.sigma_to_t(plan("Euler", "Simple", 4, NOISE)[:-1], quantize=True).tolist() == [999, 749, 499, 249]
    assert NOISE.sigma_to_t(plan("Euler", "Simple", 3, NOISE)[:-1], quantize=True).tolist() == [999, 666, 333]
    assert NOISE.sigma_to_t(plan("Euler", "Simple", 7, NOISE)[:-1], quantize=True).tolist() == [999, 857, 714, 571, 428, 285, 142]


@pytest.mark.parametrize("steps", STEPS)
def test_beta_splits_the_timesteps_by_the_distribution(steps: int) -> None:
    """Each step has the same share of it, 1 / steps; ComfyUI's whole timesteps are half a one away at most."""
    t = NOISE.sigma_to_t(plan("Euler", "Beta", steps, NOISE)[:-1].double()) / 999
    shares = torch.from_numpy(stats.beta.cdf(t.double().numpy(), 0.6, 0.6))
    torch.testing.assert_close(shares, 1 - torch.arange(steps, dtype=torch.float64) / steps, rtol=0, atol=2e-4)


@pytest.mark.parametrize("steps", [1, 2, 4, 20])
def test_beta_sigma_is_diffusers(steps: int) -> None:
    expected = EulerDiscreteScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, use_beta_sigmas=True)
    expected.set_timesteps(steps)
    ends = torch.tensor([NOISE.sigma_min, NOISE.sigma_max])
    ours, theirs = plan("Euler", "Beta sigma", steps, NOISE), expected.sigmas
    share, their_share = (ours[:-1] - ends[0]) / (ends[1] - ends[0]), (theirs[:-1] - theirs[-2]) / (theirs[0] - theirs[-2])
    if steps > 1:
        torch.testing.assert_close(share, their_share, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("steps", STEPS)
def test_kl_optimal_is_even_in_the_arctangent(steps: int) -> None:
    angles = plan("Euler", "KL Optimal", steps, NOISE)[:-1].double().atan()
    low, high = math.atan(NOISE.sigma_min), math.atan(NOISE.sigma_max)
    expected = [high + (low - high) * index / max(1, steps - 1) for index in range(steps)]
    assert angles.tolist() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(("family", "table"), [(SD1, "StableDiffusionSigmas"), (SDXL, "StableDiffusionXLSigmas")])
def test_align_your_steps_takes_the_levels_of_the_family(family: Family, table: str) -> None:
    """diffusers has the same ten, ending at 0 at once. Between them log sigma is a straight line."""
    noise = NoiseSchedule(alphas_cumprod().float(), family.aligned_levels)
    sigmas = plan("Euler", "Align Your Steps", 11, noise)
    assert sigmas[:10].tolist() == pytest.approx(AysSchedules[table][:10], rel=1e-6) and sigmas[10].item() == pytest.approx(0.029)
    finer = plan("Euler", "Align Your Steps", 21, noise)
    torch.testing.assert_close(finer[1:-1:2].square(), sigmas[:-2] * sigmas[1:-1], rtol=1e-5, atol=0)
    assert plan("Euler", "Align Your Steps", 1, noise)[0].item() == pytest.approx(14.615)


@pytest.mark.parametrize("name", [name for name, spec in SAMPLERS.items() if spec.leaps])
def test_samplers_that_leap_leave_out_the_last_level_of_a_finer_plan(name: str) -> None:
    finer, ours = plan("Euler", "Karras", 13, NOISE), plan(name, "Karras", 12, NOISE)
    assert ours.tolist() == [*finer[:12].tolist(), 0]
    assert len(plan(name, "Simple", 1000, NOISE)) == 1001, "where there is no finer plan"


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
    assert sigmas[0].item() == pytest.approx(NOISE.sigma_max, rel=3e-5)  # Align Your Steps writes 14.615 for 14.6146
    assert sigmas[-1] == 0


def test_a_training_schedule_in_float64_gives_the_same_plan() -> None:
    fine = NoiseSchedule(alphas_cumprod())
    for sampler, schedule in APPLIES:
        torch.testing.assert_close(plan(sampler, schedule, 8, fine), plan(sampler, schedule, 8, NOISE), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("sampler", "resolved"),
    [("DPM++ 2M", "Karras"), ("DPM++ 2M SDE", "Karras"), ("DPM++ SDE", "Karras"), ("Euler", "Normal"), ("Euler a", "Normal"),
     ("Heun", "Normal"), ("DDIM", "DDIM"), ("LCM", "LCM"), ("DPM2", "Karras"), ("DPM2 a", "Karras"), ("DPM++ 2S a", "Karras"),
     ("DPM++ 3M SDE", "Exponential"), ("DPM++ 2M SDE Heun", "Exponential"), ("LMS", "Normal")],
)  # fmt: skip
def test_automatic_means_what_the_sampler_was_made_for(sampler: str, resolved: str) -> None:
    assert resolve_schedule(sampler, "Automatic") == resolved


def test_a_schedule_that_does_not_suit_the_sampler_is_refused_in_a_sentence() -> None:
    with pytest.raises(
        UserError, match=r"DDIM does not work with the schedule Karras\. Choose Automatic, Normal, SGM Uniform, Simple or Turbo\."
    ):
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
