"""Samplers and schedules: two ordered tables, name -> specification. Importing this package does not import torch.

    sigmas = plan("DPM++ 2M", "Automatic", steps=20, noise_schedule=schedule)
    for moment in sample("DPM++ 2M", denoise, noise.first() * sigmas[0], sigmas, noise): ...

A new sampler is a file with one function that makes a step, and a line in `SAMPLERS`; requests take their choices from there. One that has
options (`options.py`) names them in its line and is given them as its last argument; one that has none is not. As a step is a function of
what it is given (`moment.Turn`), every run goes on from any of its moments, in another process and on another day:

    for moment in sample("DPM++ 2M", denoise, x, sigmas, noise, start=an_earlier_moment): ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Literal

from models.errors import UserError
from pipelines.samplers.options import ANCESTRAL, BETA, CHURNED, ENDS, USUAL, USUAL_SCHEDULE, SamplerOptions, ScheduleOptions

if TYPE_CHECKING:
    from torch import Tensor

    from pipelines.samplers.moment import Denoise, Moment, Noise, Sampler
    from pipelines.samplers.noise import ImageNoise
    from pipelines.samplers.noise_schedule import NoiseSchedule

AUTOMATIC = "Automatic"
OWN_LEVELS = "Own levels"  # those that somebody has written down
EVERY = (  # those that can be chosen by name
    "Normal", "Karras", "Exponential", "SGM Uniform", "Simple", "Turbo", "Beta", "Beta sigma", "KL Optimal", "Align Your Steps", OWN_LEVELS,
)  # fmt: skip
EVEN = ("Normal", "SGM Uniform", "Simple", "Turbo", OWN_LEVELS)  # those that are, or may be, even in the training timesteps
LEAST_FALL = 1e-6  # of a level from one step to the next, as a share; below it single numbers cannot tell them apart
NO_ROOM = "These noise levels leave no room for {steps} steps. Ask for fewer, move the lowest and the highest apart, or lower rho."


@dataclass(frozen=True, slots=True)
class SamplerSpec:
    """A sampler's line: how it is called, and with what."""

    target: str  # "module:function" within this package
    automatic: str  # the schedule that "Automatic" stands for
    about: str  # what it is good for, in a line
    schedules: tuple[str, ...] = EVERY  # the others that apply
    calls_per_step: int = 1  # of the network; a last step that ends at 0 makes one
    more_calls: int = 0  # in the first step of a run
    noise: Literal["none", "fresh", "brownian"] = "none"  # that it asks for by itself; with options it may ask for fresh one
    options: tuple[str, ...] = ()  # the fields of `SamplerOptions` that it has
    needs_both: bool = False  # what is predicted without the prompt is asked for by itself, at guidance 1 as well
    adaptive: bool = False  # it makes as many calls as it needs; what is counted of them is the least
    leaps: bool = False  # over the last level but 0, which is planned for it and left out, as in A1111

    @property
    def stochastic(self) -> bool:
        """Noise is added along the way, so that more steps do not converge to one picture."""
        return self.noise != "none"

    def function(self) -> Sampler:
        """What makes one of its steps."""
        return _resolve(self.target)

    def walk(
        self,
        denoise: Denoise,
        x: Tensor,
        sigmas: Tensor,
        noise: Noise,
        *options: SamplerOptions,
        start: Moment | None = None,
        trained: NoiseSchedule | None = None,
    ) -> Iterator[Moment]:
        """As `moment.walk`, by its own steps."""
        walk = _resolve("moment:walk")
        return walk(self.function(), denoise, x, sigmas, noise, *options, start=start, trained=trained)

    def given(self, options: SamplerOptions | None) -> tuple[SamplerOptions, ...]:
        """Its last argument, if it has options: those that it has, and of the others nothing."""
        if not self.options:
            return ()
        return (replace(USUAL, **{name: getattr(options, name) for name in self.options}) if options else USUAL,)


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    """A schedule's line."""

    target: str
    about: str  # where its steps lie, or what it is for, in a line
    options: tuple[str, ...] = ()  # the fields of `ScheduleOptions` that it has

    def function(self) -> Callable[..., Tensor]:
        """(steps, noise_schedule), and `ScheduleOptions` where it has some, gives the levels."""
        return _resolve(self.target)

    def given(self, options: ScheduleOptions) -> tuple[ScheduleOptions, ...]:
        """As `SamplerSpec.given`."""
        if not self.options:
            return ()
        return (replace(USUAL_SCHEDULE, **{name: getattr(options, name) for name in self.options}),)


SAMPLERS: dict[str, SamplerSpec] = {
    "DPM++ 2M": SamplerSpec("dpmpp_2m:dpmpp_2m", "Karras", "Clear pictures in 15 to 30 steps; the one to begin with"),
    "DPM++ 2M SDE": SamplerSpec(
        "dpmpp_2m_sde:dpmpp_2m_sde", "Karras", "Richer textures, from 25 steps on", noise="brownian", options=ANCESTRAL
    ),
    "DPM++ 2M SDE Heun": SamplerSpec(
        "dpmpp_2m_sde_heun:dpmpp_2m_sde_heun", "Exponential", "As DPM++ 2M SDE, a little softer", noise="brownian", options=ANCESTRAL
    ),
    "DPM++ 3M SDE": SamplerSpec(
        "dpmpp_3m_sde:dpmpp_3m_sde", "Exponential", "Fine textures, from 30 steps on; little guidance suits it",
        noise="brownian", options=ANCESTRAL, leaps=True,
    ),
    "DPM++ SDE": SamplerSpec(
        "dpmpp_sde:dpmpp_sde", "Karras", "Good from 10 steps on, each of which takes twice as long",
        calls_per_step=2, noise="brownian", options=ANCESTRAL,
    ),
    "DPM++ 2S a": SamplerSpec(
        "dpmpp_2s_ancestral:dpmpp_2s_ancestral", "Karras", "Lively, and cleaner than Euler a; twice as long a step",
        calls_per_step=2, noise="fresh", options=ANCESTRAL,
    ),
    "Euler": SamplerSpec("euler:euler", "Normal", "Plain and soft; more steps only refine", options=CHURNED),
    "Euler a": SamplerSpec(
        "euler_ancestral:euler_ancestral", "Normal", "Soft and inventive; more steps are another picture; DDPM is this",
        noise="fresh", options=ANCESTRAL,
    ),
    "Heun": SamplerSpec("heun:heun", "Normal", "Euler with each step checked; twice as long a step", calls_per_step=2, options=CHURNED),
    "DPM2": SamplerSpec(
        "dpm2:dpm2", "Karras", "Close to Heun, and steadier in few steps; twice as long a step",
        calls_per_step=2, options=CHURNED, leaps=True,
    ),
    "DPM2 a": SamplerSpec(
        "dpm2_ancestral:dpm2_ancestral", "Karras", "Sharp and inventive, from 20 steps on; twice as long a step",
        calls_per_step=2, noise="fresh", options=ANCESTRAL, leaps=True,
    ),
    "LMS": SamplerSpec("lms:lms", "Normal", "Of the first days: good from 30 steps on, rough below"),
    "UniPC": SamplerSpec("unipc:unipc", "Normal", "Close to the final picture in 8 to 15 steps"),
    "DEIS": SamplerSpec("deis:deis", "Normal", "Close to the final picture in 10 to 20 steps"),
    "RES multistep": SamplerSpec("res_multistep:res_multistep", "Karras", "As DPM++ 2M, a little calmer"),
    "DPM fast": SamplerSpec(
        "dpm_fast:dpm_fast", "DPM fast", "Of the first days: at levels of its own, from 20 steps on", (), noise="fresh", options=ANCESTRAL
    ),
    "DPM adaptive": SamplerSpec(
        "dpm_adaptive:dpm_adaptive", "DPM adaptive", "Takes as many steps as it needs; yours only part its way", (),
        calls_per_step=3, adaptive=True, noise="fresh", options=ANCESTRAL,
    ),
    "Restart": SamplerSpec(
        "restart:restart", "Restart", "Goes back into the noise and mends what went wrong, from 20 steps on", (),
        calls_per_step=2, noise="fresh", options=("s_noise",),
    ),
    "SA-Solver": SamplerSpec(
        "sa_solver:sa_solver", "Normal", "Exact in many steps, with fresh noise; rough below 25",
        noise="fresh", options=ANCESTRAL,
    ),
    "PLMS": SamplerSpec("plms:plms", "DDIM", "Of the first days, as old pictures were made", EVEN, more_calls=1),
    "DDIM": SamplerSpec("ddim:ddim", "DDIM", "Of the first days: steady, for drawing over", EVEN, options=("ddim_eta",)),
    "DDIM CFG++": SamplerSpec(
        "ddim_cfg_pp:ddim_cfg_pp", "DDIM", "Calm colours at strong guidance; 5 to 10 suits it", EVEN,
        options=("ddim_eta",), needs_both=True,
    ),
    "Euler CFG++": SamplerSpec("euler_cfg_pp:euler_cfg_pp", "Normal", "Calm colours; guidance 1 to 2 suits it", needs_both=True),
    "Euler a CFG++": SamplerSpec(
        "euler_ancestral_cfg_pp:euler_ancestral_cfg_pp", "Normal", "As Euler CFG++, and inventive; guidance 1 to 2 suits it",
        noise="fresh", options=ANCESTRAL, needs_both=True,
    ),
    "LCM": SamplerSpec("lcm:lcm", "LCM", "For LCM models alone: 4 to 8 steps, guidance 1 to 2", EVEN, noise="fresh"),
    "TCD": SamplerSpec("tcd:tcd", "LCM", "For TCD and Hyper-SD models: 4 to 8 steps, guidance 1", EVEN, noise="fresh", options=("gamma",)),
}  # fmt: skip

# Names that people look for, and that are another one's: what it draws is the same (`test_euler_a_is_ddpm`).
ALSO: dict[str, str] = {"DDPM": "Euler a"}

SCHEDULES: dict[str, ScheduleSpec] = {
    "Normal": ScheduleSpec("schedules:normal", "Even over the trained steps; A1111's Uniform", ENDS),
    "Karras": ScheduleSpec("schedules:karras", "Short steps at the end, where details are drawn", (*ENDS, "rho")),
    "Exponential": ScheduleSpec("schedules:exponential", "Even shorter steps at the end; A1111's Polyexponential", (*ENDS, "rho")),
    "SGM Uniform": ScheduleSpec("schedules:sgm_uniform", "For Lightning and other models of few steps", ENDS),
    "Simple": ScheduleSpec("schedules:simple", "As SGM Uniform, on the trained levels alone"),
    "Turbo": ScheduleSpec("schedules:turbo", "For Turbo models"),
    "Beta": ScheduleSpec("schedules:beta", "Short steps at the beginning and at the end; ComfyUI's Beta", BETA),
    "Beta sigma": ScheduleSpec("schedules:beta_sigma", "The same in noise levels, longest in the middle; A1111's Beta", (*ENDS, *BETA)),
    "KL Optimal": ScheduleSpec("schedules:kl_optimal", "Near Karras, by a formula", ENDS),
    "Align Your Steps": ScheduleSpec("schedules:align_your_steps", "Found by search for ten steps of SD 1 and SDXL"),
    OWN_LEVELS: ScheduleSpec("schedules:own_levels", "Noise levels that you write down", ("sigmas",)),
    "DDIM": ScheduleSpec("schedules:ddim", "DDIM's own"),
    "LCM": ScheduleSpec("schedules:lcm", "LCM's own"),
    "Restart": ScheduleSpec("schedules:restart", "Restart's own"),
    "DPM fast": ScheduleSpec("schedules:dpm_fast", "DPM fast's own"),
    "DPM adaptive": ScheduleSpec("schedules:dpm_adaptive", "DPM adaptive's own"),
}


def resolve_schedule(sampler: str, schedule: str, automatic: str = "") -> str:
    """The name in `SCHEDULES` that a request means. `automatic`: what suits the model better than the sampler's own, where
    it has others.

    Raises `UserError` when the schedule does not suit the sampler.
    """
    spec = SAMPLERS[sampler]
    if schedule == AUTOMATIC:
        return automatic if automatic and spec.schedules else spec.automatic
    if schedule not in (*spec.schedules, spec.automatic):
        *others, last = AUTOMATIC, *spec.schedules
        choices = f"{', '.join(others)} or {last}" if others else last
        raise UserError(f"{sampler} does not work with the schedule {schedule}. Choose {choices}.")
    return schedule


def plan(sampler: str, schedule: str, steps: int, noise_schedule: NoiseSchedule, options: ScheduleOptions = USUAL_SCHEDULE) -> Tensor:
    """The noise levels of a run: (steps + 1,) float32 on the CPU, falling, the last one 0 (DDIM's own: nearly 0).

    Raises `UserError` when the schedule does not suit the sampler, has no room for so many steps, or cannot be as it is told to.
    """
    named = resolve_schedule(sampler, schedule, noise_schedule.prediction.automatic)
    return levels(sampler, named, steps, noise_schedule, options)


def levels(sampler: str, schedule: str, steps: int, noise_schedule: NoiseSchedule, options: ScheduleOptions = USUAL_SCHEDULE) -> Tensor:
    """As `plan`, by a name in `SCHEDULES`, whether it suits the sampler or not."""
    spec = SCHEDULES[schedule]
    leap = SAMPLERS[sampler].leaps and steps < len(noise_schedule)  # more steps would not find a level each
    told = spec.given(options)
    sigmas = spec.function()(steps + leap, noise_schedule, *told).float().cpu()
    if told != spec.given(USUAL_SCHEDULE) and not (sigmas[1:] <= sigmas[:-1] * (1 - LEAST_FALL)).all():
        raise UserError(NO_ROOM.format(steps=steps))
    return sigmas[[*range(steps), -1]] if leap else sigmas


def sample(
    sampler: str,
    denoise: Denoise,
    x: Tensor,
    sigmas: Tensor,
    noise: ImageNoise,
    options: SamplerOptions | None = None,
    start: Moment | None = None,
    trained: NoiseSchedule | None = None,
) -> Iterator[Moment]:
    """One `Moment` a step, starting from x at `sigmas[0]`, with the kind of noise this sampler needs.

    `options`: those that it has; None for its usual ones. `start`: a moment of this run; those after it follow, bit for bit, and x is
    asked for nothing. `trained`: the levels that the plan was made on.
    """
    spec = SAMPLERS[sampler]
    source = noise.source(spec.noise, sigmas, start.draws if start else None)
    return spec.walk(denoise, x, sigmas, source, *spec.given(options), start=start, trained=trained)


def _resolve(target: str) -> Any:  # Any: a sampler or a schedule, as its table says
    module, function = target.split(":")
    return getattr(import_module(f"{__name__}.{module}"), function)
