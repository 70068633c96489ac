"""What a form holds once a picture, its settings or some of them were sent to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import gradio as gr
from gradio.components import Component

from models.json_values import is_list, is_whole
from pipelines import (
    Checkpoint,
    Choice,
    Controlled,
    ControlUse,
    Depth,
    Details,
    Drawing,
    Enlarge,
    ImageToImage,
    InTiles,
    Outpaint,
    PictureRecord,
    Request,
    SecondPass,
    Several,
    Stored,
    Studio,
    Taken,
    TextToImage,
    Turn,
    Upscale,
    UserError,
    WithPicture,
    Wordless,
    limits,
    lora_names,
)
from pipelines.job_book.rows import NOBODY
from pipelines.requests.drawn_small import DrawnSmall
from pipelines.requests.fields import admit_field
from pipelines.requests.made_for import draws
from pipelines.requests.request import LoraUse
from pipelines.requests.wording import PARTS, TEMPLATES, as_typed, without_templates
from ui.gradio_types import Update
from ui.parts.canvas import fit_size
from ui.parts.depth_driver import depth_model
from ui.parts.form import CARRIED, Form, carried, declared
from ui.toasts import remark

# What says how to draw over a picture belongs to the form that it is sent to.
STAYS = (
    "image", "images", "mask", "controls", "width", "height", "batch_count", "batch_size", "denoising_strength", "exact_steps",
)  # fmt: skip

WORDS = ("prompt", "negative_prompt", "seed")
SAID = ("prompt", "negative_prompt")
ROLLED = (*TEMPLATES, *PARTS, "loras", "hires_loras", "seed")


def sent_to(studio: Studio, form: Form, record: PictureRecord, user: str, event: gr.EventData) -> dict[Component, Update]:
    number = getattr(event, "frame", None)
    record = replace(record, frame=number if is_whole(number) else None)
    if form.kind is Turn:
        return as_object(studio, form, record, user)
    if issubclass(form.kind, Wordless):
        return as_beginning(studio, form, record, user)
    if form.kind is Controlled:
        return as_control(studio, form, record, user, getattr(event, "units", None))
    if form.kind is Depth:
        return as_depth(studio, form, record, user)
    if form.kind is Upscale:
        return as_larger(studio, form, record, user)
    if form.kind is SecondPass:
        return as_second_pass(studio, form, record, user)
    return as_picture(studio, form, record, user)


def as_beginning(studio: Studio, form: Form, record: PictureRecord, user: str) -> dict[Component, Update]:
    """The picture to begin with. A frame of what such a form has made goes on as that did; how all else was drawn says nothing here."""
    taken = studio.uploads.adopt(record, user)
    if isinstance(record.request, form.kind):
        return form.fill(_rebound(studio, record, user), leave=["seed", CARRIED], image=taken.id)
    return form.fill(record.request, leave=list(form.inputs), image=taken.id)


def as_it_was(studio: Studio, form: Form, record: PictureRecord, user: str) -> dict[Component, Update]:
    """Everything that made the picture, its own input picture and mask with it, as far as they are this person's. What comes of it says
    with whose settings it was begun.
    """
    request = _rebound(studio, record, user)
    return form.fill(request, **{CARRIED: carried(request, record.id)})


def _rebound(studio: Studio, record: PictureRecord, user: str) -> Request:
    """What made the picture, in terms of this library."""
    try:
        found = studio.settings(record.path, user)
    except UserError:  # the file is gone or was saved again by another program; the book knows the request
        if record.note or record.user not in (user, NOBODY):
            raise UserError(record.note or "The file of this picture is not there any more, so its settings cannot be used.") from None
        return record.request
    for sentence in found.notes:
        remark(sentence, "Not the same")
    return found.request


def taken_over(studio: Studio, form: Form, record: PictureRecord, user: str, asked: object) -> dict[Component, Update]:
    """Some fields of what made the picture, and nothing else: what the form holds beside them stays. `asked`: their names.

    Raises `UserError` when the form has none of them, or cannot hold one.
    """
    wanted = {name for name in asked if isinstance(name, str)} if is_list(asked) else set[str]()
    names = [name for name in form.inputs if name in wanted and _can_take(studio, form, record, name)]
    if not names:
        raise UserError("This tab has no such setting. Open the tab that drew the picture, or one like it, and take it over there.")
    names_things = any(_names_something(form.kind, name) for name in names)
    made = _rebound(studio, record, user) if names_things or record.note else record.request
    for name in names:
        item = declared(form.kind, name)
        admit_field(item, getattr(made, name))
    return form.fill(made, leave=[name for name in form.inputs if name not in names])


def rolled(form: Form, record: PictureRecord) -> dict[Component, Update]:
    """What the picture's words were drawn of, with a new seed. LoRAs that stand in it are not in the list beside it as well.

    Raises `UserError` for a picture whose words were typed, and where the tab has no prompt.
    """
    made = record.request
    if "prompt" not in form.inputs or not isinstance(made, Drawing) or (typed := as_typed(made)) == without_templates(made):
        raise UserError("The words of this picture were not drawn, so there is nothing to roll again. Open the tab of a drawing.")
    typed = replace(typed, loras=_unnamed(made.loras, made.prompt_template), seed=-1)
    if isinstance(typed, TextToImage):
        typed = replace(typed, hires_loras=_unnamed(typed.hires_loras, typed.hires_prompt))
    return form.fill(typed, leave=[name for name in form.inputs if name not in ROLLED])


def _unnamed(loras: Sequence[LoraUse], prompt: str) -> tuple[LoraUse, ...]:
    """Those that stand in no tag of the prompt."""
    named = lora_names(prompt)
    return tuple(use for use in loras if use.name not in named)


def _can_take(studio: Studio, form: Form, record: PictureRecord, name: str) -> bool:
    """A width that is drawn is not one that a picture is enlarged to, and a checkpoint must be able to draw what the form asks for."""
    if name not in limits(type(record.request)) or _sort(form.kind) != _sort(type(record.request)):
        return False
    entry = _checkpoint(studio, record) if name == "checkpoint" else None
    return entry is None or draws(entry, form.kind.kind)


def _sort(kind: type[Request]) -> type[Request]:
    """Of those between which nothing is taken over: of what is drawn without words each kind is its own."""
    return Drawing if issubclass(kind, Drawing) else kind if issubclass(kind, Wordless) else Request


def _names_something(kind: type[Request], name: str) -> bool:
    """A model or a picture, which may be called otherwise here, or be missing."""
    limit = limits(kind)[name]
    return isinstance(limit, Stored | Several) or (isinstance(limit, Choice) and not limit.names)


def as_picture(studio: Studio, form: Form, record: PictureRecord, user: str) -> dict[Component, Update]:
    """The picture to start from, and the words and the model that made it."""
    if not issubclass(form.kind, WithPicture):
        if not isinstance(record.request, Drawing):
            raise UserError("This picture was not drawn from words, so there are none to send. Send the picture itself to another tab.")
        return form.fill(record.request, leave=_stays(studio, form, record))
    transparent = issubclass(form.kind, Enlarge)
    goes_on = issubclass(form.kind, Outpaint)  # at the scale at which it was drawn
    taken = _as_drawn(studio, record, user) if goes_on else studio.uploads.adopt(record, user, transparent)
    blank = {"mask": "", "boxes": ()} if issubclass(form.kind, Details) else {"mask": ""} if "mask" in form.inputs else {}
    values: dict[str, object] = {"image": taken.id, **blank}
    return form.fill(record.request, leave=_stays(studio, form, record), **values, **_room_for(studio, form, record, taken))


def _room_for(studio: Studio, form: Form, record: PictureRecord, taken: Taken) -> dict[str, int]:
    """The size that suits the picture, where the form's is that of a drawing."""
    if issubclass(form.kind, Outpaint):  # there, width and height are those of a window
        return dict.fromkeys(("left", "right", "top", "bottom"), 0)
    return _size_of(studio, record, taken) if issubclass(form.kind, Drawing) else {}


def as_depth(studio: Studio, form: Form, record: PictureRecord, user: str) -> dict[Component, Update]:
    """The picture to take the depths from, and its words. What reads the map stays as it is; the map of another picture goes."""
    taken = studio.uploads.adopt(record, user)
    leave = [name for name in form.inputs if name not in WORDS]
    return form.fill(record.request, leave=leave, image=taken.id, map="", **_size_of(studio, record, taken))


def as_larger(studio: Studio, form: Form, record: PictureRecord, user: str) -> dict[Component, Update]:
    """The picture and what it shows, in words. How it is drawn larger stays as it is."""
    taken, drawn = studio.uploads.adopt(record, user), isinstance(record.request, Drawing)
    return form.fill(record.request, leave=[name for name in form.inputs if not (drawn and name in SAID)], image=taken.id)


def as_object(studio: Studio, form: Form, record: PictureRecord, user: str) -> dict[Component, Update]:
    """The picture to turn the object of. What is painted of another goes; all else stays as it is."""
    taken = studio.uploads.adopt(record, user)
    return form.fill(record.request, leave=list(form.inputs), image=taken.id, mask="")


def as_second_pass(studio: Studio, form: Form, record: PictureRecord, user: str) -> dict[Component, Update]:
    """The picture to enlarge, with all that drew it: what is not changed is as in its first pass. How to enlarge it stays as it is."""
    taken, made = _as_drawn(studio, record, user), record.request
    if not isinstance(made, Drawing):
        return form.fill(made, leave=list(form.inputs), image=taken.id)
    values = {name: getattr(made, name) for name in limits(SecondPass) if name in limits(Drawing) and name in form.inputs}
    request = SecondPass(**values, image=taken.id, first=studio.first_pass(record, taken.id))
    own = [name for name in form.inputs if name.startswith("hires_") or name in limits(InTiles)]
    stays = [name for name in _stays(studio, form, record) if name != "image"]
    return form.fill(request, leave=[*own, *stays])


def _as_drawn(studio: Studio, record: PictureRecord, user: str) -> Taken:
    """The picture before an upscaler enlarged it, where one has. A second pass enlarges it anew."""
    drawn = record.request.as_drawn if isinstance(record.request, DrawnSmall) else ""
    if drawn and studio.uploads.find(drawn, user):
        return Taken(drawn, *studio.uploads.size(drawn))
    return studio.uploads.adopt(record, user)


def as_control(studio: Studio, form: Form, record: PictureRecord, user: str, held: object) -> dict[Component, Update]:
    """The picture into the first control unit, and the words and the model that made it. `held`: the units that the form holds."""
    taken = studio.uploads.adopt(record, user)
    first, *others = admitted_units(held) or (ControlUse(),)
    controls = (replace(first, image=taken.id, mask=""), *others)
    return form.fill(record.request, leave=_stays(studio, form, record), controls=controls, **_size_of(studio, record, taken))


def admitted_units(held: object) -> tuple[ControlUse, ...]:
    """The units that a form holds; none where they are not sound."""
    try:
        return cast(tuple[ControlUse, ...], limits(Controlled)["controls"].admit("Control", held, tuple))
    except UserError:
        return ()


def _stays(studio: Studio, form: Form, record: PictureRecord) -> tuple[str, ...]:
    """What the form keeps: also its checkpoint, where that of the picture cannot draw this. Of what was drawn without words, all."""
    if isinstance(record.request, Wordless):
        return tuple(form.inputs)
    entry = _checkpoint(studio, record)
    return STAYS if entry is None or draws(entry, form.kind.kind) else (*STAYS, "checkpoint")


def _size_of(studio: Studio, record: PictureRecord, taken: Taken) -> dict[str, int]:
    """That suits the picture; of one that was enlarged, the size at which it was drawn."""
    made, size = record.request, (taken.width, taken.height)
    if isinstance(made, TextToImage | ImageToImage | Controlled) and made.as_drawn:
        size = made.width, made.height
    return dict(zip(("width", "height"), fit_size(size, _native(studio, record)), strict=True))


def _native(studio: Studio, record: PictureRecord) -> int:
    return (_checkpoint(studio, record) or studio.checkpoints()[0]).native_size


def _checkpoint(studio: Studio, record: PictureRecord) -> Checkpoint | None:
    """What drew the picture, if something did that is still there."""
    named = record.request.checkpoint if isinstance(record.request, Drawing | Wordless) else ""
    return next((entry for entry in studio.checkpoints() if entry.id == named), None)


def map_as_control(studio: Studio, taken: Taken, uses: tuple[ControlUse, ...], checkpoint_id: str) -> tuple[ControlUse, ...]:
    """The units with the map as the picture of the first one, which takes a depth model where it has none."""
    first, *others = uses or (ControlUse(),)
    model = None if first.id else depth_model(studio, checkpoint_id)
    chosen = {"id": model.id, "name": model.called} if model else {}
    return (replace(first, image=taken.id, mask="", preprocessor="None", union_kind="Depth", **chosen), *others)
