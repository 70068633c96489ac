"""The driver of a depth map: a depth checkpoint by itself, or control units that have no picture of their own.

Nothing of it is a field of the request: it follows from the checkpoint and the units, and the two buttons set those.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace

import gradio as gr

from models.files import ModelFile, ModelKind
from models.json_values import table
from pipelines import Checkpoint, ControlUse, Depth, Studio, UserError
from pipelines.resolving.checks import UNREAD_DEPTH
from pipelines.resolving.control_match import readers
from pipelines.resolving.model_search import STEERS
from ui.door.roles import role
from ui.gradio_types import listener
from ui.messages import Driven, DriveOrder, Message, ReadersLine, ReadersQuestion
from ui.parts.choices import DRAWS, reason
from ui.parts.components import piece
from ui.parts.controls import most
from ui.parts.depth_map import part_of
from ui.parts.form import Form
from ui.parts.scripts import call

READS = "depth"  # the variant of checkpoints that read a map
NO_CHECKPOINT = (
    "There is no depth checkpoint here yet. Put one into the models folder, such as that of Stable Diffusion 2, or get it under Models."
)
NO_CONTROL = (
    "No ControlNet or adapter for depth fits the checkpoints here. Put one into the models folder “controlnet”, or get it under Models."
)
NO_ROOM = "All control units have pictures of their own. Remove one of them first."
SHOWN: dict[str, str] = {"controlnet": "ControlNet", "adapter": "Adapter"}


def driven_by(studio: Studio) -> gr.HTML:
    """The two buttons, and the line that says what will read the map."""

    @role("viewer")
    def reading(asked: ReadersQuestion) -> ReadersLine:
        return read_by(studio, asked)

    @role("artist")
    def drive(asked: DriveOrder) -> Driven | Message:
        return driven(studio, asked)

    return piece("depth_drive", f"{Depth.kind}-drive", server_functions=[reading, drive], kind=Depth.kind)


def wire(view: gr.HTML, form: Form) -> None:
    """What the buttons have found is put into the form, in the browser."""
    js = call("depth_drive", "driven", form.kind.kind, form.names)
    listener(view, "settle")(None, None, form.components, js=js)


def read_by(studio: Studio, asked: object) -> ReadersLine:
    """Which of the two read the map as the form stands. `asked`: a `ReadersQuestion`, or what somebody sent for one."""
    try:
        request = part_of(asked, ("checkpoint", "controls"))
    except UserError as error:
        return {"checkpoint": False, "controlnet": False, "words": str(error)}
    entry = next((entry for entry in studio.checkpoints() if entry.id == request.checkpoint and entry.variant == READS), None)
    units = [_named(studio, place, use) for place, use in enumerate(request.controls, 1) if _follows(use)]
    return {"checkpoint": entry is not None, "controlnet": bool(units), "words": _sentence(entry, units)}


def driven(studio: Studio, asked: object) -> Driven | Message:
    """The form after a press. `asked`: a `DriveOrder`, or what somebody sent for one."""
    try:
        given = dict(table(asked))
        change = {"checkpoint": by_checkpoint, "controlnet": by_control}.get(str(given.pop("way", "")))
        if change is None:
            raise UserError("The map is read by a checkpoint or by a ControlNet.")
        request = change(studio, part_of(given, ("checkpoint", "controls")))
    except UserError as error:
        return {"message": str(error)}
    return {"checkpoint": request.checkpoint, "controls": [asdict(use) for use in request.controls]}


def by_checkpoint(studio: Studio, request: Depth) -> Depth:
    """The checkpoint that is chosen, when it reads maps, else the first that does; no unit follows the map."""
    found = next((entry for entry in _in_turn(studio, request) if entry.variant == READS), None)
    if found is None:
        raise UserError(NO_CHECKPOINT)
    return replace(request, checkpoint=found.id, controls=tuple(use for use in request.controls if use.image))


def by_control(studio: Studio, request: Depth) -> Depth:
    """The checkpoint that is chosen, when it draws from words, else the first that does and has a depth model that fits."""
    for entry in _in_turn(studio, request):
        model = depth_model(studio, entry.id) if entry.variant in DRAWS else None
        if model:
            return replace(request, checkpoint=entry.id, controls=_with_unit(request.controls, model))
    raise UserError(NO_CONTROL)


def _in_turn(studio: Studio, request: Depth) -> list[Checkpoint]:
    return sorted(studio.checkpoints(Depth.kind), key=lambda entry: entry.id != request.checkpoint)


def depth_model(studio: Studio, checkpoint_id: str) -> ModelFile | None:
    """The one that reads maps of depth best."""
    fitting = [entry for entry in _steering(studio) if entry.usable and not reason(studio, entry.id, checkpoint_id)]
    best = readers(fitting).get(Depth().estimator)
    return next((entry for entry in fitting if entry.id == best), None)


def _with_unit(uses: tuple[ControlUse, ...], model: ModelFile) -> tuple[ControlUse, ...]:
    """The first unit without a picture takes the model, unless there is none: then one is added."""
    place = next((index for index, use in enumerate(uses) if not use.image), len(uses))
    if place == most(Depth, "controls"):
        raise UserError(NO_ROOM)
    old = uses[place] if place < len(uses) else ControlUse()
    kind = "Depth" if _is_union(model) else old.union_kind
    unit = replace(old, id=model.id, name=model.called, preprocessor="None", weight=old.weight or 1.0, union_kind=kind)
    return (*uses[:place], unit, *uses[place + 1 :])


def _follows(use: ControlUse) -> bool:
    return not use.image and use.weight > 0 and use != ControlUse()


def _named(studio: Studio, place: int, use: ControlUse) -> str:
    entry = next((entry for entry in _steering(studio) if entry.id == use.id), None)
    if entry is None:
        return f"control unit {place}, which has no model yet," if not use.id else f"“{use.name[:80]}”, which is not here,"
    return f"{SHOWN[entry.identity.kind]} “{entry.name}”, weight {use.weight:g},"


def _sentence(entry: Checkpoint | None, units: list[str]) -> str:
    itself = [f"the checkpoint “{entry.name}” by itself,"] if entry else []
    readers = [*itself, *units]
    if not readers:
        return UNREAD_DEPTH
    *first, last = (reader.rstrip(",") for reader in readers)
    return f"The depth map is read by {', '.join(first)}{' and ' * bool(first)}{last}."


def _steering(studio: Studio) -> Iterator[ModelFile]:
    kinds: tuple[ModelKind, ...] = STEERS
    return (entry for kind in kinds for entry in studio.library.models(kind))


def _is_union(entry: ModelFile) -> bool:
    return entry.identity.variant.startswith("union")
