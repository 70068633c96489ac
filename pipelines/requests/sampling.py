"""Sampling options of a request: what its sampler and its schedule are told, and which of its fields do anything. No torch."""

from __future__ import annotations

import math
from dataclasses import fields

from pipelines.requests.drawing import Drawing
from pipelines.requests.second_pass import TwoPasses
from pipelines.requests.wordless import Wordless
from pipelines.samplers import AUTOMATIC, SAMPLERS, SCHEDULES, resolve_schedule
from pipelines.samplers.options import USUAL, USUAL_SCHEDULE, SamplerOptions, ScheduleOptions
from pipelines.samplers.own_levels import read_levels

OPTIONS = tuple(item.name for kind in (SamplerOptions, ScheduleOptions) for item in fields(kind))
NEUTRAL = {item.name: item.default for item in fields(Drawing) if item.name in OPTIONS}  # with which all is as without them


def sampler_options(request: Drawing | Wordless) -> SamplerOptions:
    """What is drawn without words has the usual ones."""
    if isinstance(request, Wordless):
        return USUAL
    return SamplerOptions(
        eta=request.eta, ddim_eta=request.ddim_eta, gamma=request.gamma, s_noise=request.s_noise,
        s_churn=request.s_churn, s_tmin=request.s_tmin, s_tmax=request.s_tmax or math.inf,
    )  # fmt: skip


def schedule_options(request: Drawing | Wordless) -> ScheduleOptions:
    """The same of the schedule. Raises `UserError` where its own noise levels act and cannot be read."""
    if isinstance(request, Wordless):
        return USUAL_SCHEDULE
    return ScheduleOptions(
        sigma_min=request.sigma_min, sigma_max=request.sigma_max, rho=request.rho,
        beta_alpha=request.beta_alpha, beta_beta=request.beta_beta,
        sigmas=read_levels(request.sigmas) if "sigmas" in acting(request.sampler, request.schedule) else (),
    )  # fmt: skip


def check_sampling(request: Drawing | Wordless) -> None:
    """Raises `UserError` where sampler, schedule and their options do not go together, whatever the model."""
    resolve_schedule(request.sampler, request.schedule)
    schedule_options(request)


def acting(sampler: str, schedule: str) -> tuple[str, ...]:
    """The options that this sampler with this schedule reads; names of a request's fields."""
    spec = SAMPLERS[sampler]
    return (*spec.options, *SCHEDULES[spec.automatic if schedule == AUTOMATIC else schedule].options)


def acting_in(request: Drawing) -> frozenset[str]:
    """The options that the sampler and the schedule of a drawing read, of its second pass as well where there is one."""
    passes = [(request.sampler, request.schedule)]
    if isinstance(request, TwoPasses) and request.hires:
        passes.append((request.hires_sampler or request.sampler, request.hires_schedule or request.schedule))
    return frozenset(name for each in passes for name in acting(*each))


def tables() -> dict[str, object]:
    """For a page, which shows the options that act: those of each sampler and each schedule, and what "Automatic" is for each sampler."""
    return {
        "samplers": {name: spec.options for name, spec in SAMPLERS.items() if spec.options},
        "schedules": {name: spec.options for name, spec in SCHEDULES.items() if spec.options},
        "automatic": {name: spec.automatic for name, spec in SAMPLERS.items()},
        "neutral": NEUTRAL,
    }
