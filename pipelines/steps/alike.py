"""Steps that two drawings share: up to where something that differs begins to act, both make the same, bit for bit.

What is said at a step is compared as the networks are told it, so [a:b:0.5] and [a:c:0.5] share the first half, and so do two prompts
that say the same in other words. What acts on the finished latents or pixels alone differs in no step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from functools import lru_cache

from models.errors import UserError
from pipelines.prompts.asked import asked_by, pass_of
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.guidance import may_guide, scale_at
from pipelines.requests.request import Drawing, FromPicture
from pipelines.requests.steps import steps_of
from pipelines.steps.content import BESIDE

Rule = Callable[[Drawing, Drawing, int], int]  # of so many steps, how many are alike
WORDS = ("prompt", "negative_prompt", "second_prompt")


def shared_steps(one: Drawing, other: Drawing) -> int:
    """How many of the first steps of both are the same; 0 where they have none in common, or this cannot be said.

    Each is one picture. Models are the same where they have the same id; whether the files are is for others to see.
    """
    if (one.seed, one.steps) != (other.seed, other.steps):  # most are told apart by these: a cell is compared with many
        return 0
    if type(one) is not type(other) or one.picture_count != 1 or other.picture_count != 1 or one.branch or other.branch:
        return 0
    steps = steps_of(one).run
    names = [item.name for item in fields(one) if getattr(one, item.name) != getattr(other, item.name)]
    said = [_said_alike(one, other, steps)] if any(name in WORDS for name in names) else []
    rules = [_rule(name) for name in names if name not in WORDS]
    return max(0, min([steps, *said, *(rule(one, other, steps) for rule in rules)]))


def _rule(name: str) -> Rule:
    if name in BESIDE or name.startswith("hires"):
        return _all
    return RULES.get(name, _none)


def _all(one: Drawing, other: Drawing, steps: int) -> int:
    return steps


def _none(one: Drawing, other: Drawing, steps: int) -> int:
    return 0


def _said_alike(one: Drawing, other: Drawing, steps: int) -> int:
    mine, theirs = _told(one), _told(other)
    calls = pass_of(one).calls_a_step
    alike = next((number for number, (own, told) in enumerate(zip(mine, theirs, strict=False)) if own != told), min(len(mine), len(theirs)))
    return alike // calls


@lru_cache(maxsize=128)
def _told(request: Drawing) -> tuple[object, ...]:
    """What is said at each call, without where in the text it stands; nothing where it cannot be drawn. Kept for a while, as one picture is
    compared with many.
    """
    try:
        calls = asked_by(request).calls
    except UserError:
        return ()
    return tuple((tuple((said.weight, said.text) for said in call.prompts), call.negative, call.second) for call in calls)


def _decoded(one: Drawing, other: Drawing, steps: int) -> int:
    """Another VAE makes other pixels of the same latents, and other latents of a picture."""
    return 0 if isinstance(one, FromPicture) else steps


def _refined(one: Drawing, other: Drawing, steps: int) -> int:
    """Until one of the two takes over. Shares are of all steps that are planned, of which the first may be left out."""
    found = steps_of(one)
    begins = min(each.refiner_start if each.refiner else 1.0 for each in (one, other))
    return math.ceil(begins * found.planned - 1e-9) - found.skipped


def _steered(one: Drawing, other: Drawing, steps: int) -> int:
    """Units that differ only in when and how strongly they act do so from the first step at which they weigh otherwise."""
    if len(one.controls) != len(other.controls):
        return 0
    pairs = list(zip(one.controls, other.controls, strict=True))
    if any(_still(mine) != _still(theirs) for mine, theirs in pairs):
        return 0
    alike = (all(mine.weight_at(step, steps) == theirs.weight_at(step, steps) for mine, theirs in pairs) for step in range(steps))
    return next((step for step, same in enumerate(alike) if not same), steps)


def _guided(one: Drawing, other: Drawing, steps: int) -> int:
    """Until the guidance of a step differs. Where only one is guided at all, what both are told may be of unlike length."""
    if may_guide(one) != may_guide(other):
        return 0
    return next((step for step in range(steps) if scale_at(one, step, steps) != scale_at(other, step, steps)), steps)


def _pushed(one: Drawing, other: Drawing, steps: int) -> int:
    """What is done with guidance is done where it acts."""
    off = (scale_at(one, step, steps) is scale_at(other, step, steps) is None for step in range(steps))
    return next((step for step, same in enumerate(off) if not same), steps)


def _still(use: ControlUse) -> ControlUse:
    usual = ControlUse()
    return replace(use, weight=usual.weight, start=usual.start, end=usual.end, curve=usual.curve)


PUSHED = (
    "third_look", "look_strength", "look_blur", "projection", "push_limit", "momentum", "contrast_as", "contrast_percentile", "zero_star",
)  # fmt: skip
RULES: Mapping[str, Rule] = {
    "vae": _decoded,
    "refiner": _refined,
    "refiner_start": _refined,
    "controls": _steered,
    **dict.fromkeys(("guidance_scale", "guidance_from", "guidance_until", "guidance_curve", "guidance_end"), _guided),
    **dict.fromkeys(PUSHED, _pushed),
}
