"""The samplers against k-diffusion and diffusers, and against what must hold for any of them."""

from __future__ import annotations

import ast
import inspect
import math
from dataclasses import fields, replace
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.schedulers import scheduling_ddpm, scheduling_sasolver, scheduling_tcd
from diffusers.schedulers.scheduling_ddim import DDIMScheduler
from diffusers.schedulers.scheduling_deis_multistep import DEISMultistepScheduler
from diffusers.schedulers.scheduling_lcm import LCMScheduler
from diffusers.schedulers.scheduling_pndm import PNDMScheduler
from diffusers.schedulers.scheduling_unipc_multistep import UniPCMultistepScheduler
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from torch import Tensor

from pipelines.samplers import SAMPLERS, plan, sample
from pipelines.samplers.moment import Denoise, Made, Moment, Noise, Turn, walk
from pipelines.samplers.noise import ImageNoise
from pipelines.samplers.noise_schedule import NoiseSchedule
from pipelines.samplers.options import CHURNED, WITHOUT_NOISE, SamplerOptions
from tests.support import kdiffusion
from tests.support.analytic import alphas_cumprod, two_peaks, two_peaks_solution

KDIFFUSION = {
    "DPM++ 2M": "sample_dpmpp_2m",
    "DPM++ 2M SDE": "sample_dpmpp_2m_sde",
    "DPM++ SDE": "sample_dpmpp_sde",
    "Euler": "sample_euler",
    "Euler a": "sample_euler_ancestral",
    "Heun": "sample_heun",
    "DPM++ 2M SDE Heun": "sample_dpmpp_2m_sde",
    "DPM++ 3M SDE": "sample_dpmpp_3m_sde",
    "DPM++ 2S a": "sample_dpmpp_2s_ancestral",
    "DPM2": "sample_dpm_2",
    "DPM2 a": "sample_dpm_2_ancestral",
    "LMS": "sample_lms",
    "RES multistep": "sample_dpmpp_2m_sde",
}
TOLD = {"DPM++ 2M SDE Heun": {"solver_type": "heun"}, "RES multistep": {"solver_type": "heun", "eta": 0.0}}
# k-diffusion's own functions for these fail on a single step; ours are compared with the denoiser further down
NOT_ALONE = ("sample_dpmpp_2m_sde", "sample_dpmpp_3m_sde")
STEPPED = [name for name in SAMPLERS if not SAMPLERS[name].adaptive]
DETERMINISTIC = [name for name, spec in SAMPLERS.items() if not spec.stochastic]
FOLDER = Path(__file__).parents[1] / "pipelines" / "samplers"
ROOMMATES = {"__init__", "moment", "noise", "noise_schedule", "options", "own_levels", "schedules"}
SCHEDULE = NoiseSchedule(alphas_cumprod())
SHAPE = (2, 4, 6, 5)


def fixed_noise(sigma: float, sigma_next: float) -> Tensor:
    """The same noise for the same pair of levels, whoever asks and however they round."""
    seed = round(float(sigma) * 1000) * 100_000 + round(float(sigma_next) * 1000)
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def no_noise(sigma: float, sigma_next: float) -> Tensor:
    raise AssertionError("this sampler takes no noise on its way")


def start(sigma: float) -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(7), dtype=torch.float64) * sigma


def moments(name: str, sigmas: Tensor, x: Tensor, denoise: Denoise = two_peaks, noise: Noise = fixed_noise) -> list[Moment]:
    return list(SAMPLERS[name].walk(denoise, x, sigmas, noise, trained=SCHEDULE))


def result(name: str, sigmas: Tensor, x: Tensor, denoise: Denoise = two_peaks, noise: Noise = fixed_noise) -> Tensor:
    return moments(name, sigmas, x, denoise, noise)[-1].x


def even(name: str) -> str:
    """A schedule that nearly all samplers share."""
    return "SGM Uniform" if SAMPLERS[name].schedules else "Automatic"


def relative(ours: Tensor, theirs: Tensor) -> float:
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


# Against other people's implementations


@pytest.mark.parametrize("name", KDIFFUSION)
def test_samplers_agree_with_k_diffusion(name: str) -> None:
    """Over whole plans of several shapes, and from the middle of one."""
    plans = [plan(name, spacing, steps, SCHEDULE) for spacing in ("Karras", "SGM Uniform") for steps in (1, 2, 7, 20)]
    for sigmas in (*plans, plan(name, "Karras", 12, SCHEDULE)[5:]):
        if len(sigmas) > 2 or KDIFFUSION[name] not in NOT_ALONE:
            x = start(sigmas[0].item())
            ours, theirs = result(name, sigmas.double(), x), k_diffusions(name, sigmas.double(), x)
            assert relative(ours, theirs) < 1e-9, sigmas


def k_diffusions(name: str, sigmas: Tensor, x: Tensor, noise: Noise = fixed_noise, **told: float) -> Tensor:
    """What k-diffusion makes of x, with the noise that ours is given."""
    function = getattr(kdiffusion.sampling(), KDIFFUSION[name])
    takes = "noise_sampler" in inspect.signature(function).parameters
    injected: dict[str, Any] = {"noise_sampler": noise} if takes else {}
    return function(two_peaks, x, sigmas, disable=True, **injected, **TOLD.get(name, {}), **told)


def test_ddim_agrees_with_diffusers() -> None:
    for steps in (2, 7, 20, 50):
        sigmas = plan("DDIM", "Automatic", steps, SCHEDULE).double()
        x = start(sigmas[0].item())
        theirs = diffusers_ddim(steps, x, sigmas, eta=0.0)
        assert relative(result("DDIM", sigmas, x, noise=no_noise), theirs) < 1e-5


def test_euler_a_is_ddim_with_eta_1() -> None:
    for steps in (2, 7, 20):
        sigmas = plan("DDIM", "Automatic", steps, SCHEDULE).double()
        x = start(sigmas[0].item())
        theirs = diffusers_ddim(steps, x, sigmas, eta=1.0)
        assert relative(result("Euler a", sigmas, x), theirs) < 1e-5


MULTISTEP = {
    "UniPC": (UniPCMultistepScheduler, {"solver_type": "bh2"}),
    "DEIS": (DEISMultistepScheduler, {"solver_type": "logrho"}),
}


@pytest.mark.parametrize("name", MULTISTEP)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
def test_multistep_samplers_agree_with_diffusers_at_order_3(name: str) -> None:
    """On our levels. The end of diffusers' DEIS is not ours: at 0 it is not a number, and short runs lower the order one step before."""
    for spacing, steps in product(("Karras", "SGM Uniform"), (1, 2, 3, 4, 7, 20)):
        sigmas = plan(name, spacing, steps, SCHEDULE).double()
        x = start(sigmas[0].item())
        found = moments(name, sigmas, x)
        theirs = diffusers_multistep(name, sigmas, x)
        compared = steps if name == "UniPC" else steps - 1 - (4 <= steps < 15)
        assert all(relative(found[index].x, theirs[index]) < 1e-9 for index in range(compared)), (spacing, steps)
        assert relative(found[-1].x, found[-1].x0) < 1e-9


def diffusers_multistep(name: str, sigmas: Tensor, x: Tensor) -> list[Tensor]:
    """The state after each step. The scheduler takes x / sqrt(1 + sigma^2) and the predicted noise."""
    kind, told = MULTISTEP[name]
    judge = kind(trained_betas=betas(), solver_order=3, **told)
    judge.set_timesteps(len(sigmas) - 1)
    judge.sigmas = sigmas
    found: list[Tensor] = []
    for t, sigma, sigma_next in zip(judge.timesteps, sigmas[:-1], sigmas[1:], strict=True):
        x = judge.step((x - two_peaks(x, sigma)) / sigma, t, x / scale(sigma), return_dict=False)[0] * scale(sigma_next)
        found.append(x)
    return found


def test_plms_agrees_with_diffusers() -> None:
    """With one call more than there are steps: the first is made twice."""
    for steps in (2, 3, 7, 20):
        sigmas = plan("PLMS", "Automatic", steps, SCHEDULE).double()
        x = start(sigmas[0].item())
        judge = PNDMScheduler(trained_betas=betas(), skip_prk_steps=True, steps_offset=1, set_alpha_to_one=False)
        judge.set_timesteps(steps)
        assert judge.timesteps is not None
        levels = [sigmas[0], *sigmas[1:2], *sigmas[1:]]
        scaled = x / scale(sigmas[0])
        for t, sigma in zip(judge.timesteps.tolist(), levels, strict=False):
            state = scaled * scale(sigma)
            scaled = judge.step((state - two_peaks(state, sigma)) / sigma, t, scaled, return_dict=False)[0]
        assert relative(result("PLMS", sigmas, x, noise=no_noise), scaled * scale(sigmas[-1])) < 1e-5, steps


def test_tcd_agrees_with_diffusers(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the end: theirs leaves a trace of noise, as of timestep 0."""
    for steps, gamma in ((2, 0.3), (4, 0.3), (8, 0.0), (8, 1.0)):
        sigmas = plan("TCD", "Automatic", steps, SCHEDULE).double()
        x = start(sigmas[0].item())
        found = list(SAMPLERS["TCD"].walk(two_peaks, x, sigmas, fixed_noise, SamplerOptions(gamma=gamma), trained=SCHEDULE))
        judge = scheduling_tcd.TCDScheduler(trained_betas=betas())
        judge.set_timesteps(steps)
        for index, t in enumerate(judge.timesteps.tolist()[:-1]):
            sigma, sigma_next = sigmas[index], sigmas[index + 1]
            drawn = fixed_noise(sigma.item(), sigma_next.item())
            monkeypatch.setattr(scheduling_tcd, "randn_tensor", lambda *_, drawn=drawn, **__: drawn)
            output = (x - two_peaks(x, sigma)) / sigma
            x = judge.step(output, t, x / scale(sigma), eta=gamma, return_dict=False)[0] * scale(sigma_next)
            assert relative(found[index].x, x) < 1e-5, (steps, gamma, index)


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning", "ignore:invalid value:RuntimeWarning")
@pytest.mark.parametrize("tau", [0.0, 1.0])
def test_sa_solver_agrees_with_diffusers(tau: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """On our levels, noise and all. The last step, to 0, is no number there."""
    for spacing, steps in product(("Karras", "SGM Uniform"), (2, 3, 4, 7, 20)):
        sigmas = plan("SA-Solver", spacing, steps, SCHEDULE).double()
        x = start(sigmas[0].item())
        options = SamplerOptions(eta=tau)
        found = list(SAMPLERS["SA-Solver"].walk(two_peaks, x, sigmas, fixed_noise, options, trained=SCHEDULE))
        judge = scheduling_sasolver.SASolverScheduler(
            trained_betas=betas(), predictor_order=3, corrector_order=4, tau_func=lambda t: tau * (200 <= t <= 800)
        )
        judge.set_timesteps(steps)
        judge.sigmas = sigmas
        judge.timesteps = SCHEDULE.sigma_to_t(sigmas[:-1])
        judge._step_index = 0
        for index, t in enumerate(judge.timesteps[:-1]):
            sigma, sigma_next = sigmas[index], sigmas[index + 1]
            drawn = fixed_noise(sigma.item(), sigma_next.item())
            monkeypatch.setattr(scheduling_sasolver, "randn_tensor", lambda *_, drawn=drawn, **__: drawn)
            x = judge.step((x - two_peaks(x, sigma)) / sigma, int(t), x / scale(sigma), return_dict=False)[0] * scale(sigma_next)
            assert relative(found[index].x, x) < 1e-9, (spacing, steps, index)


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_dpm_fast_agrees_with_k_diffusion(eta: float) -> None:
    """A step of ours is a call of the network, of which theirs makes as many."""
    for steps in (1, 2, 3, 4, 5, 20):
        sigmas = plan("DPM fast", "Automatic", steps, SCHEDULE).double()
        x = start(SCHEDULE.sigma_max)
        ends = SCHEDULE.sigma_min, SCHEDULE.sigma_max
        theirs = kdiffusion.sampling().sample_dpm_fast(two_peaks, x, *ends, steps, disable=True, eta=eta, noise_sampler=fixed_noise)
        *_, last = SAMPLERS["DPM fast"].walk(two_peaks, x, sigmas, fixed_noise, SamplerOptions(eta=eta), trained=SCHEDULE)
        assert relative(last.x, theirs) < 1e-4, steps  # theirs counts lambda in single numbers


@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_dpm_adaptive_agrees_with_k_diffusion_however_its_way_is_parted(eta: float) -> None:
    """Theirs measures the error over a whole batch, so each picture is drawn alone there. Both are given the same draws."""
    x, solver = start(SCHEDULE.sigma_max), kdiffusion.sampling().DPMSolver(two_peaks)
    ends = [solver.t(torch.tensor(level, dtype=torch.float64)) for level in (SCHEDULE.sigma_max, SCHEDULE.sigma_min)]
    source = torch.Generator().manual_seed(3)
    drawn = [torch.randn(SHAPE, generator=source, dtype=torch.float64) for _ in range(200)]
    theirs: list[Tensor] = []
    for row in range(len(x)):
        given = iter(drawn)
        told: dict[str, Any] = {"eta": eta, "noise_sampler": lambda *_, given=given, row=row: next(given)[row : row + 1]}
        theirs.append(solver.dpm_solver_adaptive(x[row : row + 1], *ends, **told)[0])
    for steps in (1, 7, 40):
        sigmas, given = plan("DPM adaptive", "Automatic", steps, SCHEDULE).double(), iter(drawn)
        options = SamplerOptions(eta=eta)
        found = list(SAMPLERS["DPM adaptive"].walk(two_peaks, x, sigmas, lambda *_, given=given: next(given), options, trained=SCHEDULE))
        assert len(found) == steps and relative(found[-1].x, torch.cat(theirs)) < 1e-6, steps


def test_restart_is_heun_with_a_part_made_again_from_fresh_noise() -> None:
    """Written out as A1111 does: pairs of levels, and noise wherever one begins above the end of the one before."""
    for steps in (7, 20, 40):
        sigmas = plan("Restart", "Automatic", steps, SCHEDULE).double()
        x = start(sigmas[0].item())
        ours = result("Restart", sigmas, x)
        pairs, last = restart_pairs(steps), None
        for sigma, sigma_next in pairs:
            if last is not None and last < sigma:
                x = x + fixed_noise(sigma, last) * math.sqrt(sigma**2 - last**2)
            level = torch.tensor([sigma, sigma_next], dtype=torch.float64)
            *_, moment = SAMPLERS["Heun"].walk(two_peaks, x, level, no_noise)
            x, last = moment.x, sigma_next
        assert len(pairs) == steps
        assert relative(ours, x) < 1e-5, steps


def restart_pairs(steps: int) -> list[tuple[float, float]]:
    again, times = (steps // 4, 2) if steps >= 36 else (9, 1) if steps >= 20 else (0, 0)
    karras = kdiffusion.sampling().get_sigmas_karras
    sigmas = karras(steps - again * times, SCHEDULE.sigma_min, SCHEDULE.sigma_max)
    low, high = (int((sigmas - level).abs().argmin()) for level in (0.1, 2.0))
    pairs: list[tuple[float, float]] = []
    for index, pair in enumerate(zip(sigmas[:-1].tolist(), sigmas[1:].tolist(), strict=True)):
        pairs.append(pair)
        if times and index + 1 == low:
            part = karras(again + 1, sigmas[low].item(), sigmas[high].item())[:-1].tolist()
            pairs += [*pairwise(part)] * times
    return pairs


def test_euler_a_is_ddpm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is why DDPM has no line of its own. diffusers' goes on to 0 from timestep 1, where our DDIM's levels end at 0.03."""
    steps = 7
    sigmas = plan("DDIM", "Automatic", steps, SCHEDULE).double()
    sigmas[-1] = 0
    x = start(sigmas[0].item())
    ours = result("Euler a", sigmas, x)
    judge = scheduling_ddpm.DDPMScheduler(trained_betas=betas(), timestep_spacing="leading", steps_offset=1, clip_sample=False)
    judge.set_timesteps(steps)
    for t, sigma, sigma_next in zip(judge.timesteps, sigmas[:-1], sigmas[1:], strict=True):
        drawn = fixed_noise(sigma.item(), sigma_next.item())
        monkeypatch.setattr(scheduling_ddpm, "randn_tensor", lambda *_, drawn=drawn, **__: drawn)
        x = judge.step((x - two_peaks(x, sigma)) / sigma, int(t), x / scale(sigma), return_dict=False)[0] * scale(sigma_next)
    assert relative(ours, x) < 1e-5


def test_lcm_agrees_with_diffusers() -> None:
    for steps in (1, 2, 4, 8, 50):
        sigmas = plan("LCM", "Automatic", steps, SCHEDULE).double()
        x = start(sigmas[0].item())
        assert relative(result("LCM", sigmas, x), diffusers_lcm(steps, x, sigmas)) < 1e-5


def diffusers_ddim(steps: int, x: Tensor, sigmas: Tensor, eta: float) -> Tensor:
    """diffusers works on x / sqrt(1 + sigma^2) and takes the predicted noise; both are converted here."""
    judge = DDIMScheduler(trained_betas=betas(), timestep_spacing="leading", steps_offset=1, set_alpha_to_one=False, clip_sample=False)
    judge.set_timesteps(steps)
    for index, t in enumerate(judge.timesteps.tolist()):
        sigma, sigma_next = sigmas[index], sigmas[index + 1]
        output = (x - two_peaks(x, sigma)) / sigma
        drawn = fixed_noise(sigma.item(), sigma_next.item()) if eta else None
        scaled = judge.step(output, t, x / scale(sigma), eta=eta, variance_noise=drawn, return_dict=False)[0]
        x = scaled * scale(sigma_next)
    return x


def diffusers_lcm(steps: int, x: Tensor, sigmas: Tensor) -> Tensor:
    """With a timestep scaling so large that the boundary scalings, which belong to the model, are exactly 0 and 1."""
    judge = LCMScheduler(trained_betas=betas(), timestep_scaling=1e9, clip_sample=False)
    judge.set_timesteps(steps)
    for index, t in enumerate(judge.timesteps.tolist()):
        sigma, sigma_next = sigmas[index], sigmas[index + 1]
        output = (x - two_peaks(x, sigma)) / sigma
        denoised = judge.step(output, t, x / scale(sigma), generator=torch.Generator(), return_dict=False)[1]
        x = denoised + (sigma_next * fixed_noise(sigma.item(), sigma_next.item()) if sigma_next > 0 else 0)
    return x


def betas() -> list[float]:
    kept = alphas_cumprod()
    return (1 - kept / torch.cat([torch.ones(1), kept[:-1]])).tolist()


def scale(sigma: Tensor) -> Tensor:
    return (1 + sigma**2).sqrt()


# What holds for any sampler


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_denoiser_that_always_says_the_same_is_taken_at_its_word(name: str) -> None:
    target = torch.linspace(-3, 3, 240).reshape(SHAPE)
    for steps in (1, 2, 3, 20):
        sigmas = plan(name, even(name), steps, SCHEDULE)
        drawn = result(name, sigmas, start(14.6).float(), lambda x, sigma: target, lambda *levels: fixed_noise(*levels).float())
        if sigmas[-1] > 0:  # DPM fast leaves a trace of noise
            assert (drawn - target).abs().max() < 6 * sigmas[-1]
            continue
        if name in ("LMS", "PLMS"):  # they sum up slopes to the very end
            torch.testing.assert_close(drawn, target, rtol=0, atol=1e-5)
        else:
            assert torch.equal(drawn, target)


@pytest.mark.parametrize("name", STEPPED)
def test_a_single_step_is_the_denoisers_answer(name: str) -> None:
    sigmas = plan(name, "Automatic", 1, SCHEDULE)
    x = start(sigmas[0].item()).float()
    x0 = two_peaks(x, sigmas[:1])
    assert relative(result(name, sigmas, x), x0 + sigmas[1] / sigmas[0] * (x - x0)) < 1e-6
    assert sigmas[0] > 14.6, "a single step begins at full noise"


@pytest.mark.parametrize("name", STEPPED)
def test_every_step_yields_one_moment_and_nothing_runs_ahead(name: str) -> None:
    calls: list[float] = []

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        calls.append(sigma[0].item())
        return two_peaks(x, sigma)

    sigmas = plan(name, even(name), 6, SCHEDULE)
    run = SAMPLERS[name].walk(denoise, start(14.6), sigmas, fixed_noise, trained=SCHEDULE)
    assert calls == [], "no call before the first moment is asked for"
    first = next(run)
    each, more = SAMPLERS[name].calls_per_step, SAMPLERS[name].more_calls
    assert len(calls) == each + more, "stopping after one step costs one step"
    rest = list(run)
    assert [moment.index for moment in (first, *rest)] == list(range(6))
    assert [moment.sigma for moment in (first, *rest)] == sigmas[:-1].tolist()
    assert len(calls) == 6 * each - (each - 1) + more


@pytest.mark.parametrize("name", SAMPLERS)
def test_moments_keep_what_they_said(name: str) -> None:
    """A preview may look at an old moment while the sampler goes on: no state is changed in place."""
    x = start(14.6)
    before, kept = x.clone(), []
    for moment in SAMPLERS[name].walk(two_peaks, x, plan(name, "Automatic", 5, SCHEDULE), fixed_noise, trained=SCHEDULE):
        kept.append((moment, moment.x.clone(), moment.x0.clone()))
    assert torch.equal(x, before)
    assert all(torch.equal(moment.x, x) and torch.equal(moment.x0, x0) for moment, x, x0 in kept)


@pytest.mark.parametrize("name", SAMPLERS)
def test_an_image_is_the_same_in_a_batch_and_alone(name: str) -> None:
    sigmas = plan(name, "Automatic", 5, SCHEDULE)
    together = drawn([11, 12, 13], name, sigmas)
    for place, seed in enumerate([11, 12, 13]):
        assert torch.equal(together[place : place + 1], drawn([seed], name, sigmas))
    assert not torch.equal(together[0], together[1])


def drawn(seeds: list[int], name: str, sigmas: Tensor) -> Tensor:
    noise = ImageNoise(seeds, (4, 8, 8))
    return list(sample(name, two_peaks, noise.first() * sigmas[0], sigmas, noise, trained=SCHEDULE))[-1].x


@pytest.mark.parametrize("name", SAMPLERS)
def test_half_precision_stays_half_precision_and_sigma_does_not(name: str) -> None:
    seen: list[torch.dtype] = []

    def denoise(x: Tensor, sigma: Tensor) -> Tensor:
        seen.append(sigma.dtype)
        return two_peaks(x.float(), sigma).to(x.dtype)

    noise = ImageNoise([1, 2], (4, 8, 8), dtype=torch.bfloat16)
    sigmas = plan(name, "Automatic", 4, SCHEDULE)
    last = list(sample(name, denoise, noise.first() * sigmas[0], sigmas, noise, trained=SCHEDULE))[-1]
    assert last.x.dtype == last.x0.dtype == torch.bfloat16
    assert set(seen) == {torch.float32}


@pytest.mark.parametrize("name", DETERMINISTIC)
def test_more_steps_come_closer_to_the_exact_solution(name: str) -> None:
    errors = [error(name, steps) for steps in (10, 20, 40, 80)]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] < errors[0] / 5


ORDERS = [
    ("Euler", 1), ("DDIM", 1), ("Heun", 2), ("DPM++ 2M", 2), ("DPM2", 2), ("DPM++ 2S a", 2), ("DPM2 a", 2), ("DPM++ SDE", 2),
    ("DPM++ 2M SDE", 2), ("DPM++ 2M SDE Heun", 2), ("RES multistep", 2), ("UniPC", 2),  # whose last steps are of lower order
    ("DPM++ 3M SDE", 2),  # as k-diffusion weighs its third point
    ("Restart", 2), ("SA-Solver", 2), ("PLMS", 2),
]  # fmt: skip


@pytest.mark.parametrize(("name", "order"), ORDERS)
def test_the_order_of_convergence_is_the_papers(name: str, order: int) -> None:
    """Twice the steps divide the error by 2 in a first-order method, by 4 in a second-order one, give or take; of those that add noise
    along the way, with none."""
    gain = error(name, 80) / error(name, 160)
    assert 0.7 * 2**order < gain < 1.5 * 2**order


@pytest.mark.parametrize(("name", "order"), [("RES multistep", 2), ("DEIS", 3), ("LMS", 4)])
def test_a_step_with_all_that_it_remembers_has_the_order_of_its_name(name: str, order: int) -> None:
    """The first steps of a run, which have less behind them, would hide it: half the way divides the error of one step by 2^(order + 1)."""
    gain = error_of_a_step(name, 0.05) / error_of_a_step(name, 0.025)
    assert 0.8 * 2 ** (order + 1) < gain < 1.25 * 2 ** (order + 1)


def error_of_a_step(name: str, h: float) -> float:
    """Of one that follows four others, each begun where the flow really was; h is the step in log sigma."""
    levels = [1.5 * math.exp(-h * index) for index in range(6)]
    spec, remembered = SAMPLERS[name], ()
    flow = solve_ivp(slope_of_two_peaks, (levels[0], levels[-1]), np.linspace(-3, 3, 31), rtol=1e-12, atol=1e-12, t_eval=levels)
    true = torch.from_numpy(flow.y.T.copy()).unsqueeze(1)
    for index in range(5):
        turn = Turn(true[index], levels[index], levels[index + 1], tuple(reversed(levels[:index])), 5, remembered)
        made = spec.function()(two_peaks, replace(turn, trained=SCHEDULE), no_noise, *spec.given(WITHOUT_NOISE))
        remembered = made.remembered
    return (made.x - true[5]).abs().mean().item()


def slope_of_two_peaks(sigma: float, x: NDArray[np.float64]) -> NDArray[np.float64]:
    state = torch.from_numpy(x).unsqueeze(0)
    return ((state - two_peaks(state, torch.tensor([sigma], dtype=torch.float64))) / sigma)[0].numpy()


def test_heun_beats_euler_at_an_equal_number_of_calls() -> None:
    assert error("Heun", 20) < error("Euler", 40) / 2


def error(name: str, steps: int) -> float:
    """Mean distance from the exact solution of the flow, from sigma 10 to 0.05, in float64."""
    sigmas = torch.linspace(10 ** (1 / 7), 0.05 ** (1 / 7), steps + 1, dtype=torch.float64) ** 7
    x = torch.linspace(-25, 25, 101, dtype=torch.float64).view(1, -1)
    spec = SAMPLERS[name]
    *_, last = spec.walk(two_peaks, x, sigmas, no_noise, *spec.given(WITHOUT_NOISE), trained=SCHEDULE)
    return (two_peaks_solution(last.x, 0.05) - two_peaks_solution(x, 10)).abs().mean().item()


@pytest.mark.parametrize("name", [name for name, spec in SAMPLERS.items() if spec.stochastic and name not in ("LCM", "TCD")])
def test_stochastic_samplers_draw_from_the_distribution(name: str) -> None:
    """What comes out are numbers near +1 and -1, half and half, with the spread of the data."""
    noise = ImageNoise([5], (1, 100, 200))
    sigmas = plan(name, "Automatic", 60, SCHEDULE)
    numbers = list(sample(name, two_peaks, noise.first() * sigmas[0], sigmas, noise, trained=SCHEDULE))[-1].x
    assert abs((numbers > 0).float().mean().item() - 0.5) < 0.02
    assert abs(numbers.abs().mean().item() - 1) < 0.02
    assert abs(numbers.abs().std().item() - 0.25) < 0.05


# The table


def test_every_sampler_file_is_in_the_table_and_holds_one_function() -> None:
    files = {path.stem for path in FOLDER.glob("*.py")} - ROOMMATES
    assert sorted(files) == sorted(spec.target.split(":")[0] for spec in SAMPLERS.values())
    for name in files:
        tree = ast.parse((FOLDER / f"{name}.py").read_text("utf-8"))
        assert len([node for node in tree.body if isinstance(node, ast.FunctionDef) and not node.name.startswith("_")]) == 1


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_names_its_paper_or_its_origin(name: str) -> None:
    told = SAMPLERS[name].function().__doc__ or ""
    assert "arXiv" in told or "et al." in told or "k-diffusion" in told


def test_only_samplers_that_say_so_take_noise() -> None:
    for name in DETERMINISTIC:
        result(name, plan(name, "Automatic", 4, SCHEDULE), start(14.6), noise=no_noise)


# With options


GIVEN = {
    "Euler": SamplerOptions(s_churn=4.0, s_tmin=0.3, s_tmax=9.0, s_noise=1.1),
    "Heun": SamplerOptions(s_churn=4.0, s_tmin=0.3, s_tmax=9.0, s_noise=1.1),
    "Euler a": SamplerOptions(eta=0.6, s_noise=1.1),
    "DPM++ SDE": SamplerOptions(eta=0.6, s_noise=1.1),
    "DPM++ 2M SDE": SamplerOptions(eta=0.6, s_noise=1.1),
    "DPM++ 2M SDE Heun": SamplerOptions(eta=0.6, s_noise=1.1),
    "DPM++ 3M SDE": SamplerOptions(eta=0.6, s_noise=1.1),
    "DPM++ 2S a": SamplerOptions(eta=0.6, s_noise=1.1),
    "DPM2": SamplerOptions(s_churn=4.0, s_tmin=0.3, s_tmax=9.0, s_noise=1.1),
    "DPM2 a": SamplerOptions(eta=0.6, s_noise=1.1),
}


def noise_of_churn(monkeypatch: pytest.MonkeyPatch) -> Noise:
    """k-diffusion draws at every step, used or not: both are given the same draw again and again."""
    drawn = fixed_noise(1.0, 0.0)
    monkeypatch.setattr(torch, "randn_like", lambda x: drawn)
    return lambda sigma, sigma_next: drawn


@pytest.mark.parametrize("name", GIVEN)
def test_samplers_agree_with_k_diffusion_on_every_option(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    spec, options = SAMPLERS[name], GIVEN[name]
    noise = fixed_noise if spec.stochastic else noise_of_churn(monkeypatch)
    told = {option: getattr(options, option) for option in spec.options}
    for steps in (3, 20):
        sigmas = plan(name, "Karras", steps, SCHEDULE).double()
        x = start(sigmas[0].item())
        theirs = k_diffusions(name, sigmas, x, noise, **told)
        *_, last = spec.walk(two_peaks, x, sigmas, noise, *spec.given(options))
        assert relative(last.x, theirs) < 1e-9
        assert relative(last.x, result(name, sigmas, x)) > 1e-3


def test_ddim_agrees_with_diffusers_on_eta() -> None:
    sigmas = plan("DDIM", "Automatic", 7, SCHEDULE).double()
    x = start(sigmas[0].item())
    for eta in (0.3, 1.0):
        *_, last = SAMPLERS["DDIM"].walk(two_peaks, x, sigmas, fixed_noise, SamplerOptions(ddim_eta=eta))
        assert relative(last.x, diffusers_ddim(7, x, sigmas, eta)) < 1e-5


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_is_told_the_options_that_it_declares_and_no_other(name: str) -> None:
    odd = SamplerOptions(eta=0.1, ddim_eta=0.15, gamma=0.25, s_noise=0.2, s_churn=0.3, s_tmin=0.4, s_tmax=0.5)
    given = SAMPLERS[name].given(odd)
    assert len(given) == bool(SAMPLERS[name].options)
    for options in given:
        told = {item.name for item in fields(SamplerOptions) if getattr(options, item.name) == getattr(odd, item.name)}
        assert told == set(SAMPLERS[name].options)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_sampler_reads_every_option_that_it_declares(name: str) -> None:
    code = ast.parse((FOLDER / f"{SAMPLERS[name].target.partition(':')[0]}.py").read_text("utf-8"))
    read = {node.attr for node in ast.walk(code) if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "options"}
    called = {ast.unparse(node.func) for node in ast.walk(code) if isinstance(node, ast.Call)}
    assert read | (set(CHURNED) if "churned" in called else set()) == set(SAMPLERS[name].options)


# Going on


GOES_ON = [(name, None) for name in SAMPLERS] + list(GIVEN.items()) + [("DDIM", SamplerOptions(ddim_eta=0.7))]


@pytest.mark.parametrize(("name", "options"), GOES_ON)
def test_a_run_goes_on_from_each_of_its_moments_bit_for_bit(name: str, options: SamplerOptions | None) -> None:
    sigmas, seeds = plan(name, "Automatic", 7, SCHEDULE), [11, 12]
    noise = ImageNoise(seeds, (4, 8, 8))
    whole = list(sample(name, two_peaks, noise.first() * sigmas[0], sigmas, noise, options, trained=SCHEDULE))
    for moment in whole:
        later = ImageNoise(seeds, (4, 8, 8))  # as in another process
        blank = torch.full_like(moment.x, torch.nan)
        rest = list(sample(name, two_peaks, blank, sigmas, later, options, kept_and_read(moment), SCHEDULE))
        assert [each.index for each in rest] == list(range(moment.index + 1, 7))
        for ours, theirs in zip(rest, whole[moment.index + 1 :], strict=True):
            assert torch.equal(ours.x, theirs.x) and torch.equal(ours.x0, theirs.x0) and ours.draws == theirs.draws


def kept_and_read(moment: Moment) -> Moment:
    """Nothing but its numbers."""
    return replace(
        moment, x=moment.x.clone(), x0=torch.full_like(moment.x0, torch.nan), remembered=tuple(each.clone() for each in moment.remembered)
    )


@pytest.mark.parametrize("name", SAMPLERS)
def test_what_changes_in_the_middle_is_as_if_the_run_had_gone_on_from_there(name: str) -> None:
    sigmas = plan(name, "Automatic", 7, SCHEDULE)
    noise, other = ImageNoise([3], (4, 8, 8)), ImageNoise([3], (4, 8, 8))
    spec, calls = SAMPLERS[name], 0

    def turning(x: Tensor, sigma: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return two_peaks(x, sigma) if calls <= 3 * spec.calls_per_step + spec.more_calls else -two_peaks(x, sigma)

    whole = list(sample(name, turning, noise.first() * sigmas[0], sigmas, noise, trained=SCHEDULE))
    rest = sample(name, lambda x, sigma: -two_peaks(x, sigma), whole[2].x, sigmas, other, start=whole[2], trained=SCHEDULE)
    assert torch.equal(list(rest)[-1].x, whole[-1].x)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_step_knows_nothing_but_what_it_is_given(name: str) -> None:
    """Each of its steps is made once more, alone and in another order: a sampler that kept something to itself would differ."""
    sigmas = plan(name, "Automatic", 5, SCHEDULE)
    turns: list[tuple[Turn, Tensor]] = []
    own = SAMPLERS[name].function()

    def noted(denoise: Denoise, turn: Turn, noise: Noise, *options: SamplerOptions) -> Made:
        made = own(denoise, turn, noise, *options)
        turns.append((turn, made.x))
        return made

    list(walk(noted, two_peaks, start(14.6), sigmas, fixed_noise, trained=SCHEDULE))
    for turn, x in reversed(turns):
        assert torch.equal(own(two_peaks, turn, fixed_noise).x, x)
