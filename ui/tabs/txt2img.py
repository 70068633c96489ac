"""The text-to-image tab: a picture from words alone."""

from __future__ import annotations

import gradio as gr

from pipelines import Studio, TextToImage
from ui.parts.sections import Draft, add_ons, basics, control, sampling, words
from ui.parts.send import TabForm
from ui.parts.stage import Stage

TITLE = "Text to image"
KIND = TextToImage


def build(studio: Studio) -> TabForm:
    """The form on the left, the stage on the right."""
    draft = Draft(studio, KIND, studio.checkpoints(KIND.kind))
    with gr.Row(elem_classes=["work"], equal_height=False):
        with gr.Column(elem_classes=["form-side"], scale=5, min_width=320):
            words(draft)
            basics(draft)
            control(draft)
            sampling(draft)
            add_ons(draft)
        with gr.Column(elem_classes=["stage-side"], scale=9, min_width=320):
            stage = Stage(studio, KIND.kind)
    return TabForm(draft.finish(stage), stage)
