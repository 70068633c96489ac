"""The outpainting tab: a picture continued beyond its edges."""

from __future__ import annotations

import gradio as gr

from pipelines import Outpaint, Studio
from ui.parts.canvas import canvas, plan
from ui.parts.form import TabForm
from ui.parts.sections import Draft, add_ons, control, form_body, form_side, minute, models, regions, row, rows, sampling, size, words

TITLE = "Outpaint"
KIND = Outpaint


def build(studio: Studio) -> TabForm:
    """The surface is the picture with a frame that can be dragged."""
    draft = Draft(studio, KIND, studio.checkpoints(KIND.kind))
    with form_side():
        words(draft)
        with form_body(draft):
            with gr.Column(elem_classes=["card", "more"]):
                with gr.Row(elem_classes=["margins"]):
                    draft.show("left", "right", "top", "bottom", min_width=60)
                draft.slide("denoising_strength")
                plan(studio, KIND)
            models(draft)
            with rows():
                with row(draft, "windows", "Beginning and overlap"):
                    draft.slide("overlap")
                    draft.show("begins_with", "exact_steps")
                size(draft)
                regions(draft)
                sampling(draft)
                control(draft)
                add_ons(draft)
        minute(draft)
    with gr.Column(elem_classes=["canvas-side"]):
        draft.inputs["image"] = canvas(KIND, "frame")
    return draft.finish()
