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
from pipelines.samplers import OWN_LEVELS, SAMPLERS, SCHEDULES, plan, resolve_schedule
from pipelines.samplers.noise_schedule import NoiseSchedule
from pipelines.samplers.options import ScheduleOptions
from pipelines.samplers.own_levels import read_levels
from tests.support import kdiffusion
from tests.support.analytic import alphas_cumprod

pytestmark = pytest.mark.smoke

NOISE = NoiseSchedule(alphas_cumprod().float())
STEPS = [1, 2, 3, 20, 150]
OWN = ScheduleOptions(sigmas=(14.6146, 6.5, 3.9, 2.7, 1.4, 0.65, 0.15))
APPLIES = [(name, schedule) for name, spec in SAMPLERS.items() for schedule in (*spec.schedules, "Automatic")]


def judge() -> Any:
    kept = alphas_cumprod().float()
    return kdiffusion.external().DiscreteSchedule(((1 - kept) / kept).sqrt(), quantize=False)


def test_normal_karras_and_exponential_are_k_diffusions() -> None:
    for steps in STEPS:
        ends = NOISE.sigma_min, NOISE.sigma_max
        known = {
            "Normal": judge().get_sigmas(steps),
            "Karras": kdiffusion.sampling().get_sigmas_karras(steps, *ends),
            "Exponential": kdiffusion.sampling().get_sigmas_exponential(steps, *ends),
        }
        for name, expected in known.items():
            torch.testing.assert_close(plan("Euler", name, steps, NOISE), expected, rtol=1e-5, atol=0)


def test_turbo_visits_the_timesteps_of_diffusers() -> None:
    for steps in STEPS:
        expected = EulerDiscreteScheduler(timestep_spacing="trailing")
        expected.set_timesteps(steps)
        assert NOISE.sigma_to_t(plan("Euler", "Turbo", steps, NOISE)[:-1], quantize=True).tolist() == expected.timesteps.tolist()


def test_simple_takes_trained_levels_from_the_last() -> None:
    assert NOISE.sigma_to_t(plan("Euler", "Simple", 4, NOISE)[:-1], quantize=True).tolist() == [999, 749, 499, 249]
    assert NOISE.sigma_to_t(plan("Euler", "Simple", 3, NOISE)[:-1], quantize=True).tolist() == [999, 666, 333]
    assert NOISE.sigma_to_t(plan("Euler", "Simple", 7, NOISE)[:-1], quantize=True).tolist() == [999, 857, 714, 571, 428, 285, 142]


def test_beta_splits_the_timesteps_by_the_distribution() -> None:
    """Each step has the same share of it, 1 / steps; ComfyUI's whole timesteps are half a one away at most."""
    for steps in STEPS:
        t = NOISE.sigma_to_t(plan("Euler", "Beta", steps, NOISE)[:-1].double()) / 999
        shares = torch.from_numpy(stats.beta.cdf(t.double().numpy(), 0.6, 0.6))
        torch.testing.assert_close(shares, 1 - torch.arange(steps, dtype=torch.float64) / steps, rtol=0, atol=2e-4)


def test_beta_sigma_is_diffusers() -> None:
    for steps in [1, 2, 4, 20]:
        expected = EulerDiscreteScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, use_beta_sigmas=True)
        expected.set_timesteps(steps)
        ends = torch.tensor([NOISE.sigma_min, NOISE.sigma_max])
        ours, theirs = plan("Euler", "Beta sigma", steps, NOISE), expected.sigmas
        share, their_share = (ours[:-1] - ends[0]) / (ends[1] - ends[0]), (theirs[:-1] - theirs[-2]) / (theirs[0] - theirs[-2])
        if steps > 1:
            torch.testing.assert_close(share, their_share, rtol=1e-3, atol=1e-4)


def test_kl_optimal_is_even_in_the_arctangent() -> None:
    for steps in STEPS:
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


def test_sgm_uniform_is_trailing_but_for_whole_timesteps() -> None:
    """diffusers rounds to whole timesteps of 1000, one more than there are between the ends: at most one apart."""
    for steps in [1, 2, 4, 20]:
        expected = EulerDiscreteScheduler(beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, timestep_spacing="trailing")
        expected.set_timesteps(steps)
        ours = NOISE.sigma_to_t(plan("Euler", "SGM Uniform", steps, NOISE)[:-1])
        assert (ours - expected.timesteps).abs().max() <= 1


def test_ddim_visits_the_timesteps_of_diffusers() -> None:
    for steps in [2, 3, 7, 20, 50, 150]:
        expected = DDIMScheduler(timestep_spacing="leading", steps_offset=1)
        expected.set_timesteps(steps)
        sigmas = plan("DDIM", "Automatic", steps, NOISE)
        assert NOISE.sigma_to_t(sigmas[:-1], quantize=True).tolist() == expected.timesteps.tolist()
        assert sigmas[-1].item() == NOISE.sigma_min


def test_ddim_can_be_planned_as_finely_as_a_low_strength_with_exact_steps_asks() -> None:
    for steps in [333, 501, 999, 1000]:
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


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_every_plan_falls_without_a_rest_from_full_noise_to_nothing(sampler: str) -> None:
    for schedule in (*SAMPLERS[sampler].schedules, "Automatic"):
        for steps in (1, 2, 3, 20, 50):
            sigmas = plan(sampler, schedule, steps, NOISE, OWN)
            assert sigmas.shape == (steps + 1,)
            assert sigmas.dtype == torch.float32
            assert (sigmas.diff() < 0).all() or (sampler == "Restart" and steps >= 20), (schedule, steps)
        if resolve_schedule(sampler, schedule) not in ("DDIM", "DPM fast", "DPM adaptive"):  # which begin a little lower and leaves a trace
            assert sigmas[0].item() == pytest.approx(NOISE.sigma_max, rel=3e-5)  # Align Your Steps writes 14.615 for 14.6146
            assert sigmas[-1] == 0


def test_a_training_schedule_in_float64_gives_the_same_plan() -> None:
    fine = NoiseSchedule(alphas_cumprod())
    for sampler, schedule in APPLIES:
        ours = plan(sampler, schedule, 8, fine, OWN)
        torch.testing.assert_close(ours, plan(sampler, schedule, 8, NOISE, OWN), rtol=1e-4, atol=1e-6)


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
        UserError,
        match=r"DDIM does not work with the schedule Karras\. Choose Automatic, Normal, SGM Uniform, Simple, Turbo or Own levels\.",
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
    assert {*SCHEDULE_NAMES, "DDIM", "LCM", "Restart", "DPM fast", "DPM adaptive"} == {"Automatic", *SCHEDULES}
    assert len({spec.function() for spec in SCHEDULES.values()}) == len(SCHEDULES)
    assert all(set(spec.schedules) <= set(SCHEDULE_NAMES) and spec.automatic in SCHEDULES for spec in SAMPLERS.values())


# With options


def test_karras_and_exponential_take_ends_and_a_rho_as_k_diffusion_does() -> None:
    """Exponential with a rho is A1111's Polyexponential; without, it is that with rho 1."""
    options = ScheduleOptions(sigma_min=0.1, sigma_max=9.0, rho=2.5)
    for steps in (2, 9, 40):
        karras = kdiffusion.sampling().get_sigmas_karras(steps, 0.1, 9.0, rho=2.5)
        poly = kdiffusion.sampling().get_sigmas_polyexponential(steps, 0.1, 9.0, rho=2.5)
        torch.testing.assert_close(plan("Euler", "Karras", steps, NOISE, options), karras, rtol=1e-5, atol=0)
        torch.testing.assert_close(plan("Euler", "Exponential", steps, NOISE, options), poly, rtol=1e-5, atol=0)
    one = kdiffusion.sampling().get_sigmas_polyexponential(20, NOISE.sigma_min, NOISE.sigma_max)
    torch.testing.assert_close(plan("Euler", "Exponential", 20, NOISE, ScheduleOptions(rho=1)), one, rtol=1e-5, atol=0)


@pytest.mark.parametrize("schedule", [name for name, spec in SCHEDULES.items() if "sigma_max" in spec.options])
def test_a_plan_lies_between_the_ends_that_are_asked_for(schedule: str) -> None:
    """SGM Uniform leaves the lower one out."""
    sigmas = plan("Euler", schedule, 20, NOISE, ScheduleOptions(sigma_min=0.2, sigma_max=8.0))
    assert sigmas[0].item() == pytest.approx(8, rel=1e-5) and sigmas[-1] == 0
    assert sigmas[-2].item() == pytest.approx(0.2, rel=1e-5) or (schedule == "SGM Uniform" and sigmas[-2] > 0.2)


def test_the_numbers_of_the_beta_distribution_are_scipys() -> None:
    options = ScheduleOptions(beta_alpha=0.9, beta_beta=1.7)
    t = NOISE.sigma_to_t(plan("Euler", "Beta", 20, NOISE, options)[:-1].double()) / 999
    sigmas = (plan("Euler", "Beta sigma", 21, NOISE, options)[:-1] - NOISE.sigma_min) / (NOISE.sigma_max - NOISE.sigma_min)
    for found in (t, sigmas[:-1]):
        shares = stats.beta.cdf(found.double().numpy(), 0.9, 1.7)
        assert shares.tolist() == pytest.approx([1 - index / 20 for index in range(20)], abs=3e-4)


def test_own_levels_are_taken_as_they_are_or_log_linearly_between_them() -> None:
    """As diffusers' and ComfyUI's Align Your Steps: the table of ten in twenty-one steps meets each level of the table again."""
    exact = plan("Euler", OWN_LEVELS, 7, NOISE, OWN)
    assert exact.tolist() == pytest.approx([*OWN.sigmas, 0])
    finer = plan("Euler", OWN_LEVELS, 13, NOISE, OWN)
    torch.testing.assert_close(finer[:-1:2], exact[:-1])
    torch.testing.assert_close(finer[1:-1:2].square(), exact[:-2] * exact[1:-1])
    aligned = ScheduleOptions(sigmas=NOISE.aligned_levels)
    assert torch.equal(plan("Euler", OWN_LEVELS, 20, NOISE, aligned), plan("Euler", "Align Your Steps", 20, NOISE))
    assert plan("DPM2", OWN_LEVELS, 6, NOISE, OWN).tolist() == pytest.approx([*OWN.sigmas[:6], 0]), "one that leaps leaves out the last"


def test_options_of_other_schedules_change_nothing() -> None:
    odd = ScheduleOptions(sigma_min=1.0, sigma_max=2.0, rho=3.0, beta_alpha=2.0, beta_beta=3.0, sigmas=(5.0,))
    for name, spec in SCHEDULES.items():
        if not spec.options:
            sampler = name if name in SAMPLERS else "Euler"
            assert torch.equal(
                plan(sampler, "Automatic" if sampler == name else name, 8, NOISE, odd),
                plan(sampler, "Automatic" if sampler == name else name, 8, NOISE),
            )


@pytest.mark.parametrize(
    ("text", "levels"),
    [("14.6, 6.5 3.9", (14.6, 6.5, 3.9)), ("[14.6;6.5;\n3.9, 0]", (14.6, 6.5, 3.9)), ("1e1 .5", (10.0, 0.5)), (" 7 ", (7.0,))],
)
def test_own_levels_are_read_however_they_are_put_down(text: str, levels: tuple[float, ...]) -> None:
    assert read_levels(text) == levels


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "No noise levels are written down"), ("3, 5", "5 comes after 3"), ("3, 3", "fall from step to step"), ("14.6 to 3", "“to” among"),
     ("5, 0, 1", "Put it last"), ("0", "Put it last"), ("-3", "is no number"), ("nan", "is no number"), ("1e9", "more than any model"),
     ("9 " * 2000, "1,000 are the most")],
)  # fmt: skip
def test_levels_that_cannot_be_are_refused_in_a_sentence(text: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        read_levels(text)


@pytest.mark.parametrize(
    ("schedule", "options", "says"),
    [("Karras", ScheduleOptions(sigma_min=9, sigma_max=3), "is not below the highest"), ("Karras", ScheduleOptions(rho=0.01), "Rho is 0.1"),
     ("Normal", ScheduleOptions(sigma_min=30, sigma_max=40), "no room for 20 steps"),
     ("Exponential", ScheduleOptions(rho=60), "no room for 20 steps"),
     (OWN_LEVELS, ScheduleOptions(sigmas=(3.0000001, 3.0)), "no room for 20 steps")],
)  # fmt: skip
def test_options_that_leave_no_steps_are_refused_in_a_sentence(schedule: str, options: ScheduleOptions, says: str) -> None:
    with pytest.raises(UserError, match=says):
        plan("Euler", schedule, 20, NOISE, options)
