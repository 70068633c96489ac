"""The depth tab: a picture held by a depth map: of another picture, of a file, or drawn."""

from __future__ import annotations

import gradio as gr

from pipelines import Depth, Studio
from ui.parts.canvas import held, plan
from ui.parts.depth_driver import READS, driven_by, wire
from ui.parts.depth_map import depth_map, estimator
from ui.parts.sections import Draft, add_ons, basics, control, sampling, words
from ui.parts.send import TabForm
from ui.parts.stage import Stage

TITLE = "Depth"
KIND = Depth


def build(studio: Studio) -> TabForm:
    """The form on the left; the map with what edits it beside the stage."""
    draft = Draft(studio, KIND, sorted(studio.checkpoints(KIND.kind), key=lambda entry: entry.variant != READS))
    with gr.Row(elem_classes=["work"], equal_height=False):
        with gr.Column(elem_classes=["form-side"], scale=5, min_width=320):
            words(draft)
            with gr.Column(elem_classes=["card", "more"]):
                drive = driven_by(studio)
            with gr.Column(elem_classes=["card", "more"]):
                draft.slide("denoising_strength")
                draft.show("exact_steps")
                draft.show("resize_mode")
            basics(draft)
            control(draft)
            sampling(draft)
            add_ons(draft)
        with gr.Column(elem_classes=["stage-side", "with-canvas"], scale=9, min_width=320):
            with gr.Column(elem_classes=["canvas-side"]):
                draft.inputs |= {"image": held(KIND, "image"), "estimator": estimator()}
                draft.inputs["map"] = depth_map(studio)
                with gr.Column(elem_classes=["card", "more", "depth-edits"]):
                    draft.slide("far", "near", "curve", "cut_off", "map_blur")
                    draft.show("map_inverted")
                plan(studio, KIND)
            stage = Stage(studio, KIND.kind)
    desk = TabForm(draft.finish(stage), stage)
    wire(drive, desk.form)
    return desk
