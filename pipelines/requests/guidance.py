"""Guidance: how strongly the prompt is held against the negative one at each step. Imports no torch: the page says before what it costs.

At a step where the guidance is 1, or which lies outside the interval, the network is asked for the prompt alone: half the work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from models.errors import UserError
from pipelines.requests.base import Request
from pipelines.requests.fields import Choice, Flag, Range
from pipelines.requests.groups import GUIDANCE, PICTURE
from pipelines.requests.second_pass import TwoPasses
from pipelines.requests.tiles import UNTILED, in_tiles
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


NO_MOMENTUM = "What is drawn in tiles has no one momentum of guidance. Set “APG momentum” to 0, or switch the tiles off."
NO_LOOK = "None"
SAG = "SAG"
LOOKS = (NO_LOOK, "PAG", "SEG", SAG)


def has_tiles(request: Request) -> bool:
    """Whether something of it is drawn in tiles, now or in its second pass."""
    return in_tiles(request) or (isinstance(request, TwoPasses) and request.hires and request.hires_tiling != UNTILED)


@dataclass(frozen=True, kw_only=True)
class Guided(Request):
    """How guidance goes over the steps that run, and what is done with it. Each field at its default does nothing.

    Interval: Kynkäänniemi et al. (2024), arXiv:2404.07724, in shares of the steps. Curve: Wang et al. (2024), arXiv:2404.13040. Third
    look: PAG, Ahn et al. (2024), arXiv:2403.17377; SEG, Hong (2024), arXiv:2408.00760; SAG, Hong et al. (2023), arXiv:2210.00939. APG:
    Sadat et al. (2024), arXiv:2410.02416 (momentum: its beta). CFG-Zero*: Fan et al. (2025), arXiv:2503.18886. Contrast (dynamic
    thresholding): Saharia et al. (2022), arXiv:2205.11487, 2.3. Perp-Neg: Armandpour et al. (2023), arXiv:2304.04968. FreeU: Si et al.
    (2023), arXiv:2309.11497.
    """

    guidance_from: float = GUIDANCE(0.0, Range(0, 1, 0.01), "Guidance from", "Share of the steps before which the prompt is alone")
    guidance_until: float = GUIDANCE(1.0, Range(0, 1, 0.01), "Guidance until", "Share after which it is again, at half the work")
    guidance_curve: str = GUIDANCE(STEADY, Choice(tuple(CURVES)), "Guidance curve", "How it goes to its last value: in a line, soon, late")
    guidance_end: float = GUIDANCE(1.0, Range(0, 30, 0.1), "Guidance at the end", "The value to which the curve goes, lower or higher")
    third_look: str = GUIDANCE(NO_LOOK, Choice(LOOKS), "Third look", "Away from what the model sees with an eye shut: firmer shapes")
    look_strength: float = GUIDANCE(3.0, Range(0, 10, 0.1), "Strength of the look", "3 is usual, of SAG 0.75")
    look_blur: float = GUIDANCE(0.0, Range(0, 100, 0.5), "Blur of SEG", "How far it goes, in places of the middle; 0: without end")
    projection: float = GUIDANCE(0.0, Range(0, 1, 0.05), "APG", "Takes out of guidance what only makes colours stronger")
    push_limit: float = GUIDANCE(0.0, Range(0, 100, 0.5), "APG limit", "How far guidance may push at a step, 15 say; 0: as far as it goes")
    momentum: float = GUIDANCE(0.0, Range(-1, 1, 0.05), "APG momentum", "Share of the pushes before; -0.5 holds back what repeats; 0: none")
    contrast_as: float = GUIDANCE(0.0, Range(0, 30, 0.1), "Contrast as at", "Strong guidance with the contrast of a weaker one; 0: off")
    contrast_percentile: float = GUIDANCE(100.0, Range(90, 100, 0.1), "Percentile of contrast", "Beyond it values are cut off; 100: none")
    zero_star: bool = GUIDANCE(False, Flag(), "CFG-Zero star", "Guidance begins where the two answers differ least")
    perp_negative: float = GUIDANCE(0.0, Range(0, 5, 0.1), "Perp-Neg", "The negative prompt leaves what the prompt asks for")
    free_u: float = GUIDANCE(0.0, Range(0, 1, 0.05), "FreeU", "Clearer shapes and less fuss; 1 is what its authors chose for the model")
    free_b1: float = GUIDANCE(0.0, Range(0, 2, 0.01), "FreeU b1", "What the lowest middle counts, 1.5 say; 0: as chosen for the model")
    free_b2: float = GUIDANCE(0.0, Range(0, 2, 0.01), "FreeU b2", "The same one level higher")
    free_s1: float = GUIDANCE(0.0, Range(0, 2, 0.01), "FreeU s1", "What the coarse part beside it counts, 0.9 say")
    free_s2: float = GUIDANCE(0.0, Range(0, 2, 0.01), "FreeU s2", "The same one level higher")

    def check(self) -> None:
        super().check()
        if self.momentum and has_tiles(self):
            raise UserError(NO_MOMENTUM)


def free_numbers(request: Guided, usual: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    """b1, b2, s1, s2 of FreeU. `usual`: of the model."""
    own = request.free_b1, request.free_b2, request.free_s1, request.free_s2
    b1, b2, s1, s2 = (number or chosen for number, chosen in zip(own, usual, strict=True))
    return b1, b2, s1, s2


NOT_SEAMLESS = "Off"
SEAMLESS: Mapping[str, tuple[bool, bool]] = {NOT_SEAMLESS: (False, False), "Both": (True, True), "X": (True, False), "Y": (False, True)}


@dataclass(frozen=True, kw_only=True)
class Joining(Request):
    """A picture whose edges may join, as it is drawn whole."""

    seamless: str = PICTURE(NOT_SEAMLESS, Choice(tuple(SEAMLESS)), "Seamless", "Edges join those across (X), down (Y) or both, as on tiles")

    def check(self) -> None:
        super().check()
        if self.seamless != NOT_SEAMLESS and has_tiles(self):
            raise UserError("What is drawn in tiles cannot be seamless, as no tile sees both edges. Switch one of them off.")


def joins(request: Request) -> tuple[bool, bool]:
    """Whether its picture's edges join: across, and down."""
    return SEAMLESS[request.seamless] if isinstance(request, Joining) else (False, False)


def is_shaped(request: Drawing) -> bool:
    """Whether networks work otherwise than they were built, at some step at least."""
    return any(joins(request)) or request.free_u > 0 or request.third_look != NO_LOOK


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


def looks_again(request: Drawing, scale: float | None) -> bool:
    """Whether the network is asked a third time at a step of this guidance, with an eye shut."""
    return scale is not None and request.third_look != NO_LOOK and request.look_strength > 0


def asks_empty(request: Drawing) -> bool:
    """Whether, where the negative prompt is asked, an empty one is asked as well."""
    return request.perp_negative > 0 and bool(request.negative_prompt.strip())


def rows_a_step(request: Drawing, run: int, joined: int = 1) -> list[int]:
    """How much is asked of the network at each of the `run` steps that are made. `joined`: prompts that act at once."""
    scales = [scale_at(request, index, run) for index in range(run)]
    return [joined + beside(request, scale, joined) for scale in scales]


def beside(request: Drawing, scale: float | None, joined: int) -> int:
    """What is asked beside the prompts: the negative one, an empty one, a third look."""
    against = joined > 1 or holds_against(request, scale)
    return against + (against and asks_empty(request)) + looks_again(request, scale)
