"""Checks of a request against the models that it names: each raises `UserError` with what does not go together, and what to do."""

from __future__ import annotations

from collections.abc import Iterable

from models.errors import UserError
from models.library.catalog import Checkpoint
from pipelines.prompts.tags import without_tags
from pipelines.requests.branch import check_branch, trunk_of
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.made_for import cannot_draw, draws, what_draws
from pipelines.requests.request import Depth, Details, Drawing, Wordless
from pipelines.requests.steps import steps_of
from pipelines.resolving.files import CatalogView

UNREAD_DEPTH = "Nothing reads the depth map yet. Choose a depth checkpoint, or add a control unit without a picture of its own."


def check_upscalers(upscalers: Iterable[str], catalog: CatalogView) -> None:
    for upscaler in upscalers:
        entry = catalog.model(upscaler)
        if entry.identity.kind != "upscaler":
            raise UserError(f"“{entry.name}” is not an upscaler. Choose another file.")
        if not entry.usable:
            raise UserError(f"“{entry.name}” cannot be used: {entry.problem or entry.identity.note}")


def check_variant(request: Drawing | Wordless, checkpoint: Checkpoint) -> None:
    if not draws(checkpoint, request.kind):
        raise UserError(cannot_draw(checkpoint.name, what_draws(checkpoint)))


def check_depth(request: Drawing, checkpoint: Checkpoint) -> None:
    if not isinstance(request, Depth):
        return
    if checkpoint.variant != "depth" and all(use.image or not use.weight for use in request.controls if use != ControlUse()):
        raise UserError(UNREAD_DEPTH)
    if request.far >= request.near:
        raise UserError("“Far” lies in front of “Near”, so the map would be empty. Move one of them, or invert the map.")


def check_branch_of(request: Drawing, checkpoint: Checkpoint, catalog: CatalogView) -> None:
    """What it branches from may have been drawn by another model of the family, also by one that is not here any more."""
    trunk = trunk_of(request)
    if trunk is None:
        return
    check_branch(request, steps_of(request).run)
    other = _checkpoint(trunk.checkpoint, catalog)
    if other and other.family_key.removesuffix("-refiner") != checkpoint.family_key.removesuffix("-refiner"):
        families = f"A {other.family} model drew the picture that this branches from, and “{checkpoint.name}” is a {checkpoint.family} one"
        raise UserError(f"{families}. Choose another checkpoint.")


def _checkpoint(checkpoint_id: str, catalog: CatalogView) -> Checkpoint | None:
    try:
        return catalog.checkpoint(checkpoint_id)
    except UserError:
        return None


def check_box_prompts(request: Drawing) -> None:
    """LoRAs act on a whole job."""
    boxes = request.boxes if isinstance(request, Details) else ()
    place = next((place for place, each in enumerate(boxes, 1) if without_tags(each.prompt) != each.prompt), 0)
    if place:
        what = f"The prompt of box {place} names a LoRA or hypernetwork, which acts on all boxes"
        raise UserError(f"{what}. Put its tag into the prompt of the form.")


def check_refiner(request: Drawing, checkpoint: Checkpoint, catalog: CatalogView) -> None:
    if not request.refiner:
        return
    refiner = catalog.checkpoint(request.refiner)
    if refiner.family_key.removesuffix("-refiner") != checkpoint.family_key.removesuffix("-refiner"):
        families = f"“{refiner.name}” is a {refiner.family} model and “{checkpoint.name}” a {checkpoint.family} one"
        raise UserError(f"{families}, so the one cannot refine the other. Choose another refiner.")
