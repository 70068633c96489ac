"""The image-to-image tab: a picture from a picture and words."""

from __future__ import annotations

import gradio as gr

from pipelines import ImageToImage, Studio
from ui.parts.canvas import canvas, plan
from ui.parts.form import TabForm
from ui.parts.picture_list import pile
from ui.parts.sections import (
    Draft,
    add_ons,
    control,
    enlarged,
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

TITLE = "Image to image"
KIND = ImageToImage
EACH = "Each of these is drawn over with the settings above, one after another, instead of the picture on the canvas."


def build(studio: Studio) -> TabForm:
    """The surface is a canvas that can be drawn on in colour."""
    draft = Draft(studio, KIND, studio.checkpoints(KIND.kind))
    with form_side():
        words(draft)
        with form_body(draft):
            with gr.Column(elem_classes=["card", "more"]):
                draft.slide("denoising_strength")
                plan(studio, KIND)
            models(draft)
            with rows():
                size(draft)
                with row(draft, "fitting", "Fitting"):
                    draft.show("resize_mode", "exact_steps")
                regions(draft)
                sampling(draft)
                with row(draft, "loopback", "Loopback"):
                    draft.slide("loops", "final_strength")
                    draft.show("strength_curve")
                tiles(draft)
                enlarged(draft)
                with row(draft, "several", "Several pictures"):
                    draft.inputs["images"] = pile(studio, KIND, EACH)
                control(draft)
                add_ons(draft)
        minute(draft)
    with gr.Column(elem_classes=["canvas-side"]):
        draft.inputs["image"] = canvas(KIND, "sketch")
    return draft.finish()
