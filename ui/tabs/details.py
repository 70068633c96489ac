"""The details tab: parts of a picture drawn anew, each alone, in boxes that are seen and moved before anything is drawn."""

from __future__ import annotations

import gradio as gr

from pipelines import Details, Studio
from ui.parts.canvas import canvas, held, plan
from ui.parts.detailers import boxes, detailers
from ui.parts.form import TabForm
from ui.parts.sections import Draft, add_ons, control, form_body, form_side, minute, models, regions, row, rows, sampling, size, words

TITLE = "Details"
KIND = Details


def build(studio: Studio) -> TabForm:
    """The surface is the canvas with the boxes on it."""
    draft = Draft(studio, KIND, studio.checkpoints(KIND.kind))
    with form_side():
        words(draft)
        with form_body(draft):
            with gr.Column(elem_classes=["card", "more"]):
                draft.inputs["detailers"] = detailers(studio)
            with gr.Column(elem_classes=["card", "more"]):
                draft.inputs["boxes"] = boxes()
                draft.slide("denoising_strength")
                plan(studio, KIND)
            models(draft)
            with rows():
                with row(draft, "masking", "Edge of the boxes"):
                    draft.slide("mask_blur", "padding")
                    draft.show("together", "exact_steps")
                size(draft)
                regions(draft)
                sampling(draft)
                control(draft)
                add_ons(draft)
        minute(draft, "Draw the details")
    with gr.Column(elem_classes=["canvas-side"]):
        draft.inputs["image"] = canvas(KIND, "mask", mask="mask", boxed=True)
        draft.inputs["mask"] = held(KIND, "mask")
    return draft.finish()
