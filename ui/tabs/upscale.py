"""The way of Enlarge that draws: a picture four times larger, by a model that reads it and the words. Its tab is reached from there."""

from __future__ import annotations

import gradio as gr

from pipelines import Studio, Upscale
from ui.parts import controls
from ui.parts.canvas import plan
from ui.parts.form import TabForm
from ui.parts.sections import Draft, form_body, form_side, minute, regions, rows, sampling, tiles, ways, words
from ui.parts.source import source

TITLE = "Enlarge by diffusion"
KIND = Upscale


def build(studio: Studio) -> TabForm:
    """The picture and its words; the size follows."""
    draft = Draft(studio, KIND, studio.checkpoints(KIND.kind))
    with form_side():
        words(draft)
        with form_body(draft):
            ways(draft)
            with gr.Column(elem_classes=["card"]):
                draft.inputs["image"] = source(KIND)
                plan(studio, KIND)
            with gr.Column(elem_classes=["card", "more"]):
                draft.inputs |= controls.checkpoint(KIND, draft.checkpoints)
                draft.slide("noise_level")
            with rows():
                tiles(draft)
                regions(draft)
                sampling(draft)
        minute(draft, "Enlarge")
    return draft.finish()
