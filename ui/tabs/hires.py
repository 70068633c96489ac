"""The hires fix tab: a finished picture enlarged and drawn over at its new size."""

from __future__ import annotations

import gradio as gr

from pipelines import SecondPass, Studio
from ui.parts.canvas import plan
from ui.parts.form import TabForm
from ui.parts.sections import (
    Draft,
    add_ons,
    control,
    enlarging,
    form_body,
    form_side,
    minute,
    models,
    regions,
    row,
    rows,
    sampling,
    tiles,
    words,
)
from ui.parts.source import source

TITLE = "Hires fix"
KIND = SecondPass


def build(studio: Studio) -> TabForm:
    draft = Draft(studio, KIND, studio.checkpoints(KIND.kind))
    with form_side():
        words(draft)
        with form_body(draft):
            with gr.Column(elem_classes=["card"]):
                draft.inputs["image"] = source(KIND)
                plan(studio, KIND)
            with gr.Column(elem_classes=["card", "more"]):
                draft.slide("hires_factor", "denoising_strength")
            models(draft)
            with rows():
                with row(draft, "enlarging", "Enlarging"):
                    enlarging(draft)
                tiles(draft)
                regions(draft)
                sampling(draft)
                control(draft)
                add_ons(draft)
        minute(draft)
    return draft.finish()
