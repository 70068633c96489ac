"""Sending pictures and settings to a tab: "Send to", "Use these settings" or some of them, and one undo that brings the old form back."""

from __future__ import annotations

import gradio as gr
from gradio.components import Component

from models.json_values import is_list, is_whole
from pipelines import Controlled, Depth, PictureRecord, Studio, UserError
from ui.door.roles import role, user_of, visitor_of
from ui.gradio_types import CALM, Updates, listener
from ui.parts.depth_map import SEEN, part_of
from ui.parts.form import CARRIED, Form, TabForm
from ui.parts.scripts import call
from ui.parts.sections import WAYS
from ui.parts.sent import admitted_units, as_it_was, map_as_control, rolled, sent_to, taken_over
from ui.parts.stage import Stage, own_picture, told
from ui.toasts import Refusal, remark


def connect(studio: Studio, tab_forms: dict[str, TabForm], stage: Stage, tabs: gr.Tabs, *senders: Component) -> None:
    """Joins the stage, and whatever else sends a picture, to every form. `tab_forms`: by kind of request, which is the tab's id too."""
    outputs = [tabs, *(component for each in tab_forms.values() for component in each.form.components)]

    @role("artist")
    def send(event: gr.EventData, request: gr.Request) -> Updates:
        to, some = getattr(event, "to", ""), getattr(event, "fields", None)
        forked = None if to and some is None else _forked(studio, event, request)
        record = forked or own_picture(studio, event, request)
        kind = to or record.request.kind
        if kind not in tab_forms:
            raise Refusal("There is no such tab.", "Not sent")
        form, user = tab_forms[kind].form, user_of(request)
        try:
            if getattr(event, "roll", False) is True:
                return {tabs: gr.Tabs(selected=kind)} | rolled(form, record)
            if some is not None:
                return {tabs: gr.Tabs(selected=kind)} | taken_over(studio, form, record, user, some)
            updates = sent_to(studio, form, record, user, event) if to else as_it_was(studio, form, record, user)
            if to and record.note:
                remark(record.note, "Not the same")
        except UserError as error:
            raise Refusal(str(error), "Not sent") from None
        return {tabs: gr.Tabs(selected=kind)} | updates

    @role("viewer")
    def example(event: gr.EventData, request: gr.Request) -> Updates:
        with told("Not taken"):
            number = getattr(event, "number", None)
            path = studio.examples.find(str(getattr(event, "checkpoint", "")), number if is_whole(number) else -1)
            found = studio.settings(path, user_of(request))
        form = tab_forms[found.request.kind].form
        return {tabs: gr.Tabs(selected=found.request.kind)} | form.fill(found.request)

    for view in (stage.view, *senders):
        listener(view, "send")(send, None, outputs, **CALM)
    listener(stage.view, "example")(example, None, outputs, **CALM)
    for each in tab_forms.values():
        stage.connect(each)
        _undo(each.form)
    stage.connect_seed({name: each for name, each in tab_forms.items() if "seed" in each.form.inputs})
    _connect_ways(tab_forms)
    if {Depth.kind, Controlled.kind} <= set(tab_forms):
        _connect_map(studio, tab_forms, tabs)


def _connect_ways(tab_forms: dict[str, TabForm]) -> None:
    """From one way of making a picture larger to another: its tab opens, with this picture where it has none."""
    for kind, here in tab_forms.items():
        for other in (name for name in WAYS if f"to_{name}" in here.buttons and name in tab_forms):
            mine, theirs = here.form.inputs["image"], tab_forms[other].form.inputs["image"]
            press = listener(here.buttons[f"to_{other}"], "click")
            press(None, [mine, theirs], theirs, js=call("ways", "go", kind, other, takes="mine, theirs"))


def connect_readings(studio: Studio, view: Component, tab_forms: dict[str, TabForm], tabs: gr.Tabs) -> None:
    """Joins the card of readings to every form: all that was read goes into the form of its kind, or some fields and nothing else; or
    detailers that were read into that of the details.
    """
    outputs = [tabs, *(component for each in tab_forms.values() for component in each.form.components)]

    @role("artist")
    def read(event: gr.EventData, request: gr.Request) -> Updates:
        asked, reading = getattr(event, "names", None), str(getattr(event, "id", ""))
        names = [name for name in asked if isinstance(name, str)] if is_list(asked) else None
        with told("Not taken"):
            if getattr(event, "details", False) is True:
                found, leave = studio.readings.detailing(reading, user_of(request))
            else:
                found, leave = studio.readings.taken(reading, user_of(request), names)
        if found.kind not in tab_forms:
            raise Refusal("There is no tab for what this was made with.", "Not taken")
        # What the studio decided when a picture was made holds for all of its values together.
        stays = (*leave, CARRIED) if leave else ()
        return {tabs: gr.Tabs(selected=found.kind)} | tab_forms[found.kind].form.fill(found, stays)

    listener(view, "read")(read, None, outputs, **CALM)


def _connect_map(studio: Studio, tab_forms: dict[str, TabForm], tabs: gr.Tabs) -> None:
    """The button of the depth map that hands it to the first control unit."""
    form = tab_forms[Controlled.kind].form
    outputs = [tabs, *(form.inputs[name] for name in ("controls", "width", "height"))]

    @role("artist")
    def send_map(event: gr.EventData, request: gr.Request) -> Updates:
        try:
            asked = part_of(getattr(event, "values", None), SEEN)
            taken = studio.depth.keep(asked, user_of(request))
        except UserError as error:
            raise Refusal(str(error), "Not sent") from None
        units, checkpoint = admitted_units(getattr(event, "units", None)), str(getattr(event, "checkpoint", ""))
        leave = [name for name in form.inputs if name not in ("width", "height")]
        sent = form.fill(asked, leave=leave, controls=map_as_control(studio, taken, units, checkpoint))
        return {tabs: gr.Tabs(selected=Controlled.kind)} | sent

    listener(tab_forms[Depth.kind].form.inputs["map"], "send_map")(send_map, None, outputs, **CALM)


def _forked(studio: Studio, event: gr.EventData, request: gr.Request) -> PictureRecord | None:
    """The picture whose id the page sent, when it is another person's and its settings may be used."""
    asked = getattr(event, "id", None)
    with told("Not read"):
        return studio.fork(asked, visitor_of(request).person) if isinstance(asked, str) else None


def _undo(form: Form) -> None:
    """A button that only the page's script presses: it puts back what the form held before it was overwritten."""
    button = gr.Button("Undo", elem_id=f"{form.kind.kind}-undo", elem_classes=["behind"])
    button.click(None, None, form.components, js=call("desk", "before", form.kind.kind, form.names))
