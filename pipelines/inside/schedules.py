"""Schedules of a model, one over another: at which noise levels the steps of a drawing stand, and where another schedule would put them."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor

from models.errors import UserError
from models.families import FAMILIES
from models.library.catalog import Checkpoint
from models.loading.loading import signal_of
from pipelines.inside.answers import InsideCurve, InsideSchedule
from pipelines.requests.request import Drawing
from pipelines.requests.sampling import schedule_options
from pipelines.requests.steps import steps_of
from pipelines.samplers import SAMPLERS, SCHEDULES, levels, resolve_schedule
from pipelines.samplers.noise_schedule import NoiseSchedule
from pipelines.samplers.options import USUAL_SCHEDULE

DIGITS = 5  # of a noise level that are told


def schedules_of(request: Drawing, checkpoint: Checkpoint) -> InsideSchedule:
    """Reads the model's small files, and no weights. A schedule that has no room for so many steps is left out."""
    steps, noise = steps_of(request), NoiseSchedule(signal_of(checkpoint), FAMILIES[checkpoint.family_key].aligned_levels)
    curves = list(_curves(request, steps.planned, noise))
    return {"planned": steps.planned, "skipped": steps.skipped, "most": noise.sigma_max, "least": noise.sigma_min, "curves": curves}


def _curves(request: Drawing, planned: int, noise: NoiseSchedule) -> Iterator[InsideCurve]:
    drawn, options = resolve_schedule(request.sampler, request.schedule), schedule_options(request)
    for name in SCHEDULES:
        try:
            sigmas = numbers(levels(request.sampler, name, planned, noise, options if name == drawn else USUAL_SCHEDULE))
        except UserError:
            continue
        automatic = [sampler for sampler, each in SAMPLERS.items() if each.automatic == name]
        yield {"name": name, "samplers": automatic, "sigmas": [short(sigma) for sigma in sigmas], "drawn": name == drawn}


def numbers(values: Tensor) -> list[float]:
    """Of a tensor in the host's memory, (n,)."""
    return values.numpy().tolist()


def short(number: float) -> float:
    """With as many digits as can be told apart."""
    return float(f"{number:.{DIGITS}g}")
