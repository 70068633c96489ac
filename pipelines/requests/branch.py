"""A branch: a drawing that goes on from a step of another picture. What it branches from is a part of it, whole, so that it can be made
again anywhere: from the steps that were kept, or from the beginning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

from models.errors import UserError
from models.json_values import is_row, table
from pipelines.requests.details import DetailBox
from pipelines.requests.fields import Flag, Range, Text, Whole, limited
from pipelines.samplers import OWN_LEVELS, SAMPLERS
from pipelines.samplers.own_levels import read_levels

if TYPE_CHECKING:
    from pipelines.requests.drawing import Drawing

MOST_LEGS = 10_000
DEEPEST = 8  # branches of branches
ALIKE = {"controlnet": "txt2img"}  # kinds that are drawn in one and the same way
# What the noise and the levels of a run come of, and which part of a picture each run draws.
STAYS = (
    "width", "height", "steps", "sampler", "schedule", "sigma_min", "sigma_max", "rho", "beta_alpha", "beta_beta", "sigmas",
    "seed", "variation_strength", "denoising_strength", "exact_steps", "image", "resize_mode", "area",
    "left", "right", "top", "bottom", "overlap", "begins_with", "boxes", "together", "hires_upscaler", "noise_level",
    "tiling", "tile_size", "tile_overlap", "tile_order", "tile_padding", "tile_blur", "seam_pass", "seam_strength", "seam_width",
)  # fmt: skip
LEVELS = "sigmas"
OF_A_PART = ("mask", "inverted", "mask_blur", "padding")  # where the mask says which part is drawn
ONLY_MASKED = "Only masked"
ONE = "A branch goes on from one picture, so it makes one. Set batch count and batch size to 1, and take choices out of the prompts."
TOO_DEEP = f"A picture may be a branch of a branch, and so on, {DEEPEST} times. Begin anew from an earlier one."
OTHER_KIND = "A branch is drawn in the way of the picture that it branches from: {}. Choose that tab."
NO_SUCH_STEP = "There is no step {} to branch from: {} were made."


@dataclass(frozen=True, kw_only=True)
class Branch:
    """What a drawing branches from. `made_with`: JSON of names and hashes of the models of then."""

    of: Drawing | None = limited(None, Whole(), "Picture")  # noqa: RUF009  it is frozen
    step: int = limited(1, Range(1, 1000), "Branches after step")  # how many of its steps are made
    leg: int = limited(0, Range(0, MOST_LEGS), "Of its run")  # of several, which one, from 0; those before it are its own
    shown: bool = limited(False, Flag(), "As it was at that step")  # what the step predicts is the picture; nothing is drawn
    made_with: str = limited("", Text(300_000), "Models")


def branch_of(request: Drawing) -> Branch | None:
    return next((use for use in request.branch if use.of is not None), None)


def trunk_of(request: Drawing) -> Drawing | None:
    use = branch_of(request)
    return use.of if use else None


def depth_of(request: Drawing) -> int:
    """How often it branches; 0 for what does not."""
    trunk = trunk_of(request)
    return 0 if trunk is None else 1 + depth_of(trunk)


def check_branch(request: Drawing, made: int) -> None:
    """Raises `UserError` where it cannot go on from what it names. `made`: steps of one of its runs."""
    use, trunk = branch_of(request), trunk_of(request)
    if use is None or trunk is None:
        return
    if depth_of(request) > DEEPEST:
        raise UserError(TOO_DEEP)
    if request.picture_count != 1 or trunk.picture_count != 1 or request.wordings:
        raise UserError(ONE)
    if ALIKE.get(request.kind, request.kind) != ALIKE.get(trunk.kind, trunk.kind):
        raise UserError(OTHER_KIND.format(trunk.title))
    if other := next(_other(request, trunk), None):
        raise UserError(other)
    if use.step > made:
        raise UserError(NO_SUCH_STEP.format(use.step, made))


def leaves_its_trunk(request: Drawing) -> bool:
    """Another seed is asked for, or several pictures, which no branch could have."""
    trunk = trunk_of(request)
    if trunk is None:
        return False
    varied = trunk.variation_strength > 0 and request.variation_seed != trunk.variation_seed
    return request.seed != trunk.seed or varied or request.picture_count != 1


def as_in(request: Drawing, trunk: Drawing) -> dict[str, int]:
    """The seeds of the trunk, where the request leaves them to the dice."""
    return {name: getattr(trunk, name) for name in ("seed", "variation_seed") if getattr(request, name) == -1}


def _staying(request: Drawing) -> Iterator[str]:
    own = {item.name for item in fields(request)}
    part = OF_A_PART if getattr(request, "area", "") == ONLY_MASKED else ()
    yield from (name for name in (*STAYS, *part) if name in own)


def _other(request: Drawing, trunk: Drawing) -> Iterator[str]:
    names = {item.name: item.metadata["title"] for item in fields(request)}
    for name in _staying(trunk):
        then, now = _place(getattr(trunk, name)), _place(getattr(request, name, None))
        if name in names and then != now and not (name == LEVELS and _go_on(request, trunk)):
            shown = f" ({then})" if isinstance(then, str | int | float) and not _is_id(then) else ""
            yield f"A branch goes on from the noise of its picture, so “{names[name]}” stays as it is there{shown}. Set it back."
    if trunk.variation_strength > 0 and request.variation_seed != trunk.variation_seed:
        yield f"A branch goes on from the noise of its picture, so “{names['variation_seed']}” stays as it is there. Set it back."


def _go_on(request: Drawing, trunk: Drawing) -> bool:
    """Of noise levels that are written down, one a step, those after the branch may be others."""
    from pipelines.requests.steps import steps_of  # which knows the kinds of drawings

    steps, use = steps_of(trunk), branch_of(request)
    if use is None or {request.schedule, trunk.schedule} != {OWN_LEVELS} or SAMPLERS[trunk.sampler].leaps:
        return False
    then, now = read_levels(trunk.sigmas), read_levels(request.sigmas)
    until = steps.skipped + use.step + 1
    return len(then) == len(now) == steps.planned and then[:until] == now[:until]


def _place(value: object) -> object:
    """Of boxes where they lie; what is said in them may change."""
    return [replace(each, prompt="", template="") if isinstance(each, DetailBox) else each for each in value] if is_row(value) else value


def _is_id(value: object) -> bool:
    return isinstance(value, str) and len(value) == 64


def check_depth(values: object) -> None:
    """Of what a branch holds, a description, before it is read. Raises `UserError`."""
    found, level = 1, table(values)
    while (rows := level.get("branch")) and is_row(rows):
        found += 1
        if found > DEEPEST:
            raise UserError(TOO_DEEP)
        level = table(table(rows[0]).get("of"))
