"""The enlarge tab: a picture at another size, by a classic filter."""

from __future__ import annotations

import gradio as gr

from pipelines import Enlarge, Studio
from ui.parts.canvas import plan
from ui.parts.form import TabForm
from ui.parts.sections import Draft, form_body, form_side, start
from ui.parts.source import source

TITLE = "Enlarge"
KIND = Enlarge


def build(studio: Studio) -> TabForm:
    """The picture and its new size; there are no words."""
    draft = Draft(studio, KIND)
    with form_side():
        with form_body(draft):
            with gr.Column(elem_classes=["card"]):
                draft.inputs["image"] = source(KIND)
                plan(studio, KIND)
            with gr.Column(elem_classes=["card", "more"]):
                draft.show("by")
                draft.slide("factor")
                with gr.Row():
                    draft.show("width", "height", min_width=120)
                draft.show("filter")
        with gr.Column(elem_classes=["form-foot"]):
            start(draft, "Enlarge")
    return draft.finish()
