"""The depth tab: a picture held by a depth map: of another picture, of a file, or drawn."""

from __future__ import annotations

import gradio as gr

from pipelines import Depth, Studio
from ui.parts.canvas import held, plan
from ui.parts.depth_driver import READS, driven_by, wire
from ui.parts.depth_map import depth_map, estimator
from ui.parts.form import TabForm
from ui.parts.sections import Draft, add_ons, control, form_body, form_side, minute, models, regions, row, rows, sampling, size, words

TITLE = "Depth"
KIND = Depth


def build(studio: Studio) -> TabForm:
    """The surface is the depth map, which can be painted on and looked at from the side."""
    draft = Draft(studio, KIND, sorted(studio.checkpoints(KIND.kind), key=lambda entry: entry.variant != READS))
    with form_side():
        words(draft)
        with form_body(draft):
            with gr.Column(elem_classes=["card", "more"]):
                drive = driven_by(studio)
                draft.slide("denoising_strength")
                plan(studio, KIND)
            with gr.Column(elem_classes=["card", "more", "depth-edits"]):
                draft.slide("far", "near", "curve", "cut_off", "map_blur")
                draft.show("map_inverted")
            models(draft)
            with rows():
                size(draft)
                with row(draft, "fitting", "Fitting"):
                    draft.show("resize_mode", "exact_steps")
                regions(draft)
                sampling(draft)
                control(draft)
                add_ons(draft)
        minute(draft)
    with gr.Column(elem_classes=["canvas-side"]):
        draft.inputs |= {"image": held(KIND, "image"), "estimator": estimator()}
        draft.inputs["map"] = depth_map(studio)
    tab_form = draft.finish()
    wire(drive, tab_form.form)
    return tab_form
