"""The image-to-image tab: a picture from a picture and words."""

from __future__ import annotations

import gradio as gr

from pipelines import ImageToImage, Studio
from ui.parts.canvas import canvas, plan
from ui.parts.picture_list import pile
from ui.parts.sections import Draft, add_ons, basics, control, sampling, words
from ui.parts.send import TabForm
from ui.parts.stage import Stage

TITLE = "Image to image"
KIND = ImageToImage


def build(studio: Studio) -> TabForm:
    """The form on the left; the canvas, which can be drawn on in colour, beside the stage."""
    draft = Draft(studio, KIND, studio.checkpoints(KIND.kind))
    with gr.Row(elem_classes=["work"], equal_height=False):
        with gr.Column(elem_classes=["form-side"], scale=5, min_width=320):
            words(draft)
            with gr.Column(elem_classes=["card", "more"]):
                draft.slide("denoising_strength")
                draft.show("exact_steps")
                draft.show("resize_mode")
            basics(draft)
            control(draft)
            sampling(draft)
            with gr.Accordion("Loopback", open=False, elem_id="img2img-loopback", elem_classes=["card", "more"]):
                draft.slide("loops", "final_strength")
                draft.show("strength_curve")
            with gr.Accordion("Several pictures", open=False, elem_id="img2img-several", elem_classes=["card", "more"]):
                draft.inputs["images"] = pile(studio, KIND)
            add_ons(draft)
        with gr.Column(elem_classes=["stage-side", "with-canvas"], scale=9, min_width=320):
            with gr.Column(elem_classes=["canvas-side"]):
                draft.inputs["image"] = canvas(KIND, "sketch")
                plan(studio, KIND)
            stage = Stage(studio, KIND.kind)
    return TabForm(draft.finish(stage), stage)
