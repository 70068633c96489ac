"""The outpainting tab: a picture continued beyond its edges."""

from __future__ import annotations

import gradio as gr

from pipelines import Outpaint, Studio
from ui.parts.canvas import canvas, plan
from ui.parts.sections import Draft, add_ons, basics, control, sampling, words
from ui.parts.send import TabForm
from ui.parts.stage import Stage

TITLE = "Outpaint"
KIND = Outpaint


def build(studio: Studio) -> TabForm:
    """The form on the left; the frame that can be dragged beside the stage."""
    draft = Draft(studio, KIND, studio.checkpoints(KIND.kind))
    with gr.Row(elem_classes=["work"], equal_height=False):
        with gr.Column(elem_classes=["form-side"], scale=5, min_width=320):
            words(draft)
            with gr.Column(elem_classes=["card", "more"]):
                with gr.Row(elem_classes=["margins"]):
                    draft.show("left", "right", "top", "bottom", min_width=70)
                draft.slide("denoising_strength", "overlap")
                draft.show("begins_with", "exact_steps")
            basics(draft)
            control(draft)
            sampling(draft)
            add_ons(draft)
        with gr.Column(elem_classes=["stage-side", "with-canvas"], scale=9, min_width=320):
            with gr.Column(elem_classes=["canvas-side"]):
                draft.inputs["image"] = canvas(KIND, "frame")
                plan(studio, KIND)
            stage = Stage(studio, KIND.kind)
    return TabForm(draft.finish(stage), stage)
