"""Pictures and settings from one tab to another: "Send to", "Use these settings", and one undo that brings the old form back."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import gradio as gr

from pipelines import PictureRecord, Studio, UserError, limits
from ui.easel import fit_size
from ui.form import Form
from ui.roles import role, user_of
from ui.stage import Stage, own_picture

CALM: dict[str, Any] = {"concurrency_limit": None, "show_progress": "hidden", "api_visibility": "private"}
# What says how to draw over a picture belongs to the form that it is sent to.
STAYS = ("image", "images", "mask", "width", "height", "batch_count", "batch_size", "denoising_strength", "exact_steps")


@dataclass(frozen=True)
class Desk:
    """One tab's form and stage."""

    form: Form
    stage: Stage


def connect(studio: Studio, desks: dict[str, Desk], tabs: gr.Tabs) -> None:
    """Joins every stage to every form. `desks`: by kind of request, which is also the id of the tab."""
    outputs = [tabs, *(component for desk in desks.values() for component in desk.form.components)]

    @role("artist")
    def send(event: gr.EventData, request: gr.Request) -> dict[Any, Any]:
        record, to = own_picture(studio, event, request), getattr(event, "to", "")
        kind = to or record.request.kind
        if kind not in desks:
            raise gr.Error("There is no such tab.", print_exception=False)
        form, user = desks[kind].form, user_of(request)
        try:
            updates = as_picture(studio, form, record, user) if to else as_it_was(studio, form, record, user)
        except UserError as error:
            raise gr.Error(str(error), title="Not sent", print_exception=False) from None
        return {tabs: gr.Tabs(selected=kind)} | updates

    for desk in desks.values():
        desk.stage.view.send(send, None, outputs, **CALM)
        _undo(desk.form)


def as_it_was(studio: Studio, form: Form, record: PictureRecord, user: str) -> dict[Any, Any]:
    """Everything that made the picture, its own input picture and mask with it."""
    try:
        found = studio.settings(record.path, user)
    except UserError:  # the file is gone or was saved again by another program; the book knows the request
        return form.fill(record.request)
    for sentence in found.notes:
        gr.Info(sentence, title="Not the same")
    return form.fill(found.request)


def as_picture(studio: Studio, form: Form, record: PictureRecord, user: str) -> dict[Any, Any]:
    """The picture to start from, and the words and the model that made it."""
    if "image" not in limits(form.kind):
        return form.fill(record.request, leave=STAYS)
    taken = studio.intake.adopt(record, user)
    values: dict[str, Any] = {"image": taken.id} | ({"mask": ""} if "mask" in form.inputs else {})
    if form.kind.kind != "outpaint":  # there, width and height are those of a window
        values |= dict(zip(("width", "height"), fit_size((taken.width, taken.height), _native(studio, record)), strict=True))
    else:
        values |= dict.fromkeys(("left", "right", "top", "bottom"), 0)
    return form.fill(record.request, leave=STAYS, **values)


def _native(studio: Studio, record: PictureRecord) -> int:
    entries = studio.checkpoints()
    return next((entry for entry in entries if entry.id == record.request.checkpoint), entries[0]).native_size


def _undo(form: Form) -> None:
    """A button that only the page's script presses: it puts back what the form held before it was overwritten."""
    button = gr.Button("Undo", elem_id=f"{form.kind.kind}-undo", elem_classes=["behind"])
    names = json.dumps(form.names)
    button.click(None, None, form.components, js=f"() => atelier.before({json.dumps(form.kind.kind)}, {names})")
