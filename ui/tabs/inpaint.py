"""The inpainting tab: a part of a picture drawn anew, under a painted mask."""

from __future__ import annotations

import gradio as gr

from pipelines import Inpaint, Studio
from ui.parts.canvas import canvas, held, plan
from ui.parts.sections import Draft, add_ons, basics, control, sampling, words
from ui.parts.send import TabForm
from ui.parts.stage import Stage

TITLE = "Inpaint"
KIND = Inpaint


def build(studio: Studio) -> TabForm:
    """The form on the left; the canvas for the mask beside the stage."""
    draft = Draft(studio, KIND, studio.checkpoints(KIND.kind))
    with gr.Row(elem_classes=["work"], equal_height=False):
        with gr.Column(elem_classes=["form-side"], scale=5, min_width=320):
            words(draft)
            with gr.Column(elem_classes=["card", "more"]):
                draft.show("area", "masked_content")
                draft.slide("denoising_strength", "mask_blur", "padding")
                draft.show("inverted", "soft", "exact_steps")
            basics(draft)
            control(draft)
            sampling(draft)
            add_ons(draft)
        with gr.Column(elem_classes=["stage-side", "with-canvas"], scale=9, min_width=320):
            with gr.Column(elem_classes=["canvas-side"]):
                draft.inputs["image"] = canvas(KIND, "mask", mask="mask")
                draft.inputs["mask"] = held(KIND, "mask")
                plan(studio, KIND)
            stage = Stage(studio, KIND.kind)
    return TabForm(draft.finish(stage), stage)
