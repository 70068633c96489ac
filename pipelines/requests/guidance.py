"""Guidance: how strongly the prompt is held against the negative one at each step. Imports no torch: the page says before what it costs.

At a step where the guidance is 1, or which lies outside the interval, the network is asked for the prompt alone: half the work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.requests.base import Request
from pipelines.requests.fields import Choice, Range
from pipelines.requests.groups import GUIDANCE
from pipelines.samplers import SAMPLERS

if TYPE_CHECKING:
    from pipelines.requests.drawing import Drawing

STEADY = "Steady"
# Share of the way from the first value to the last, at a share of the guided steps: both 0 .. 1.
CURVES: Mapping[str, Callable[[float], float]] = {
    STEADY: lambda share: 0.0,
    "Linear": lambda share: share,
    "Cosine": lambda share: (1 - math.cos(math.pi * share)) / 2,
    "Early": lambda share: math.sqrt(share),
    "Late": lambda share: share**2,
}


@dataclass(frozen=True, kw_only=True)
class Guided(Request):
    """How guidance goes over the steps that run.

    The interval is that of Kynkäänniemi et al. (2024), arXiv:2404.07724, in shares of the steps; curves as in Wang et al. (2024),
    arXiv:2404.13040.
    """

    guidance_from: float = GUIDANCE(0.0, Range(0, 1, 0.01), "Guidance from", "Share of the steps before which the prompt is alone")
    guidance_until: float = GUIDANCE(1.0, Range(0, 1, 0.01), "Guidance until", "Share after which it is again, at half the work")
    guidance_curve: str = GUIDANCE(STEADY, Choice(tuple(CURVES)), "Guidance curve", "How it goes to its last value: in a line, soon, late")
    guidance_end: float = GUIDANCE(1.0, Range(0, 30, 0.1), "Guidance at the end", "The value to which the curve goes, lower or higher")


def scale_at(request: Drawing, index: int, run: int) -> float | None:
    """The guidance at step `index`, from 0, of the `run` that are made. None: it is off, and the prompt is on its own.

    The bounds are those of a control unit's range.
    """
    if request.guidance_from > index / run or (index + 1) / run > request.guidance_until:
        return None
    first = math.ceil(request.guidance_from * run - 1e-9)
    last = math.floor(request.guidance_until * run + 1e-9) - 1
    share = CURVES[request.guidance_curve]((index - first) / (last - first) if last > first else 0.0)
    return request.guidance_scale + (request.guidance_end - request.guidance_scale) * share if share else request.guidance_scale


def holds_against(request: Drawing, scale: float | None) -> bool:
    """Whether the negative prompt is asked as well at a step of this guidance."""
    return scale is not None and (scale != 1 or SAMPLERS[request.sampler].needs_both)


def may_guide(request: Drawing) -> bool:
    """Whether the negative prompt may act at some step."""
    ends = request.guidance_end if request.guidance_curve != STEADY else request.guidance_scale
    return request.guidance_scale != 1 or ends != 1 or SAMPLERS[request.sampler].needs_both


def rows_a_step(request: Drawing, run: int, joined: int = 1) -> list[int]:
    """What the network is asked at each of the `run` steps that are made: prompts, of which `joined` act at once, and the negative one."""
    scales = [scale_at(request, index, run) for index in range(run)]
    return [joined + (joined > 1 or holds_against(request, scale)) for scale in scales]
