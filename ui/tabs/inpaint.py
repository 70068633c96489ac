"""The inpainting tab: a part of a picture drawn anew, under a painted mask."""

from __future__ import annotations

import gradio as gr

from pipelines import Inpaint, Studio
from ui.parts.canvas import canvas, held, plan
from ui.parts.form import TabForm
from ui.parts.sections import (
    Draft,
    add_ons,
    control,
    form_body,
    form_side,
    minute,
    models,
    regions,
    row,
    rows,
    sampling,
    size,
    tiles,
    words,
)

TITLE = "Inpaint"
KIND = Inpaint


def build(studio: Studio) -> TabForm:
    """The surface is the canvas for the mask."""
    draft = Draft(studio, KIND, studio.checkpoints(KIND.kind))
    with form_side():
        words(draft)
        with form_body(draft):
            with gr.Column(elem_classes=["card", "more"]):
                draft.slide("denoising_strength")
                draft.show("area", "masked_content")
                plan(studio, KIND)
            models(draft)
            with rows():
                with row(draft, "masking", "Edge of the mask"):
                    draft.slide("mask_blur", "padding")
                    draft.show("inverted", "soft", "exact_steps")
                size(draft)
                tiles(draft)
                regions(draft)
                sampling(draft)
                control(draft)
                add_ons(draft)
        minute(draft)
    with gr.Column(elem_classes=["canvas-side"]):
        draft.inputs["image"] = canvas(KIND, "mask", mask="mask")
        draft.inputs["mask"] = held(KIND, "mask")
    return draft.finish()
