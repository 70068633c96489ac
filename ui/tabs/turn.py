"""The turn tab: a thing on a picture, seen from elsewhere, by a camera that is dragged around it."""

from __future__ import annotations

import gradio as gr

from pipelines import Studio, Turn
from ui.parts import controls
from ui.parts.canvas import canvas, held
from ui.parts.form import TabForm
from ui.parts.sections import Draft, form_body, form_side, row, rows, sampler, start
from ui.parts.turn_dial import dial

TITLE = "Turn"
KIND = Turn


def build(studio: Studio) -> TabForm:
    """The dial stands on top. The surface is the canvas on which the object may be painted, until there are views."""
    draft = Draft(studio, KIND, studio.checkpoints(KIND.kind))
    with form_side():
        with form_body(draft):
            with gr.Column(elem_classes=["card", "more"]):
                dial(studio)
                with gr.Row():
                    draft.show("azimuth", "elevation", min_width=80)
                    draft.show("distance", "picture_elevation", min_width=80)
            with gr.Column(elem_classes=["card", "models"]):
                draft.inputs |= controls.checkpoint(KIND, draft.checkpoints)
            with rows():
                with row(draft, "around", "Views", opened=True):
                    draft.slide("views")
                    draft.show("gathered")
                    draft.slide("frames_a_second")
                with row(draft, "object", "Object"):
                    draft.show("cut", "background")
                    draft.slide("tolerance", "object_size")
                with row(draft, "sampling", "Sampling"):
                    sampler(draft)
        with gr.Column(elem_classes=["form-foot"]):
            with gr.Row(elem_classes=["minute", "few"]):
                draft.show("steps", "guidance_scale", min_width=40)
                seed, draft.buttons["dice"], draft.buttons["reuse"] = controls.seeds(KIND)
            draft.inputs |= seed
            start(draft, "Turn")
    with gr.Column(elem_classes=["canvas-side"]):
        draft.inputs["image"] = canvas(KIND, "mask", mask="mask", over=True)
        draft.inputs["mask"] = held(KIND, "mask")
    return draft.finish()
