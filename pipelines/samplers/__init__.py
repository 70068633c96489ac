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
from pipelines.samplers.options import ANCESTRAL, CHURNED, USUAL, WITHOUT_NOISE, SamplerOptions

if TYPE_CHECKING:
    from torch import Tensor

    from pipelines.samplers.moment import Denoise, Moment, Noise, Sampler
    from pipelines.samplers.noise import ImageNoise
    from pipelines.samplers.noise_schedule import NoiseSchedule

AUTOMATIC = "Automatic"
EVERY = ("Normal", "Karras", "Exponential", "SGM Uniform")  # those that can be chosen by name
EVEN = ("Normal", "SGM Uniform")  # those that are even in the training timesteps


@dataclass(frozen=True, slots=True)
class SamplerSpec:
    """A sampler's line: how it is called, and with what."""

    target: str  # "module:function" within this package
    automatic: str  # the schedule that "Automatic" stands for
    schedules: tuple[str, ...] = EVERY  # the others that apply
    calls_per_step: int = 1  # of the network; a last step that ends at 0 makes one
    noise: Literal["none", "fresh", "brownian"] = "none"  # that it asks for by itself; with options it may ask for fresh one
    options: tuple[str, ...] = ()  # the fields of `SamplerOptions` that it has
    usual: SamplerOptions = USUAL  # what they are where nothing is asked for

    @property
    def stochastic(self) -> bool:
        """Noise is added along the way, so that more steps do not converge to one picture."""
        return self.noise != "none"

    def function(self) -> Sampler:
        """What makes one of its steps."""
        return _resolve(self.target)

    def walk(
        self, denoise: Denoise, x: Tensor, sigmas: Tensor, noise: Noise, *options: SamplerOptions, start: Moment | None = None
    ) -> Iterator[Moment]:
        """As `moment.walk`, by its own steps."""
        walk = _resolve("moment:walk")
        return walk(self.function(), denoise, x, sigmas, noise, *options, start=start)

    def given(self, options: SamplerOptions | None) -> tuple[SamplerOptions, ...]:
        """Its last argument, if it has options: those that it has, and of the others nothing."""
        if not self.options:
            return ()
        return (replace(USUAL, **{name: getattr(options or self.usual, name) for name in self.options}),)


@dataclass(frozen=True, slots=True)
class ScheduleSpec:
    target: str

    def function(self) -> Callable[[int, NoiseSchedule], Tensor]:
        return _resolve(self.target)


SAMPLERS: dict[str, SamplerSpec] = {
    "DPM++ 2M": SamplerSpec("dpmpp_2m:dpmpp_2m", "Karras"),
    "DPM++ 2M SDE": SamplerSpec("dpmpp_2m_sde:dpmpp_2m_sde", "Karras", noise="brownian", options=ANCESTRAL),
    "DPM++ SDE": SamplerSpec("dpmpp_sde:dpmpp_sde", "Karras", calls_per_step=2, noise="brownian", options=ANCESTRAL),
    "Euler": SamplerSpec("euler:euler", "Normal", options=CHURNED),
    "Euler a": SamplerSpec("euler_ancestral:euler_ancestral", "Normal", noise="fresh", options=ANCESTRAL),
    "Heun": SamplerSpec("heun:heun", "Normal", calls_per_step=2, options=CHURNED),
    "DDIM": SamplerSpec("ddim:ddim", "DDIM", EVEN, options=("eta",), usual=WITHOUT_NOISE),
    "LCM": SamplerSpec("lcm:lcm", "LCM", EVEN, noise="fresh"),
}

SCHEDULES: dict[str, ScheduleSpec] = {
    "Normal": ScheduleSpec("schedules:normal"),
    "Karras": ScheduleSpec("schedules:karras"),
    "Exponential": ScheduleSpec("schedules:exponential"),
    "SGM Uniform": ScheduleSpec("schedules:sgm_uniform"),
    "DDIM": ScheduleSpec("schedules:ddim"),
    "LCM": ScheduleSpec("schedules:lcm"),
}


def resolve_schedule(sampler: str, schedule: str) -> str:
    """The name in `SCHEDULES` that a request means. Raises `UserError` when the schedule does not suit the sampler."""
    spec = SAMPLERS[sampler]
    if schedule == AUTOMATIC:
        return spec.automatic
    if schedule not in (*spec.schedules, spec.automatic):
        choices = ", ".join((AUTOMATIC, *spec.schedules[:-1]))
        raise UserError(f"{sampler} does not work with the schedule {schedule}. Choose {choices} or {spec.schedules[-1]}.")
    return schedule


def plan(sampler: str, schedule: str, steps: int, noise_schedule: NoiseSchedule) -> Tensor:
    """The noise levels of a run: (steps + 1,) float32 on the CPU, falling, the last one 0 (DDIM's own: nearly 0).

    Raises `UserError` when the schedule does not suit the sampler or has no room for so many steps.
    """
    return SCHEDULES[resolve_schedule(sampler, schedule)].function()(steps, noise_schedule).float().cpu()


def sample(
    sampler: str,
    denoise: Denoise,
    x: Tensor,
    sigmas: Tensor,
    noise: ImageNoise,
    options: SamplerOptions | None = None,
    start: Moment | None = None,
) -> Iterator[Moment]:
    """One `Moment` a step, starting from x at `sigmas[0]`, with the kind of noise this sampler needs.

    `options`: those that it has; None for its usual ones. `start`: a moment of this run; those after it follow, bit for bit, and x is
    asked for nothing.
    """
    spec = SAMPLERS[sampler]
    source = noise.source(spec.noise, sigmas, start.draws if start else None)
    return spec.walk(denoise, x, sigmas, source, *spec.given(options), start=start)


def _resolve(target: str) -> Any:  # Any: a sampler or a schedule, as its table says
    module, function = target.split(":")
    return getattr(import_module(f"{__name__}.{module}"), function)
