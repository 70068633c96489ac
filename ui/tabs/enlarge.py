"""The enlarge tab: a picture at another size, by a classic filter."""

from __future__ import annotations

import gradio as gr

from pipelines import Enlarge, Studio
from ui.parts import controls
from ui.parts.canvas import plan
from ui.parts.sections import Draft
from ui.parts.send import TabForm
from ui.parts.source import source
from ui.parts.stage import Stage

TITLE = "Enlarge"
KIND = Enlarge


def build(studio: Studio) -> TabForm:
    """The picture and its new size on the left, the stage on the right."""
    draft = Draft(studio, KIND)
    with gr.Row(elem_classes=["work"], equal_height=False):
        with gr.Column(elem_classes=["form-side"], scale=5, min_width=320):
            with gr.Column(elem_classes=["card"]):
                draft.inputs["image"] = source(KIND)
                plan(studio, KIND)
                draft.buttons["generate"] = controls.generate(KIND, "Enlarge")
            with gr.Column(elem_classes=["card", "more"]):
                draft.show("by")
                draft.slide("factor")
                with gr.Row():
                    draft.show("width", "height", min_width=140)
                draft.show("filter")
        with gr.Column(elem_classes=["stage-side"], scale=9, min_width=320):
            stage = Stage(studio, KIND.kind)
    return TabForm(draft.finish(stage), stage)
