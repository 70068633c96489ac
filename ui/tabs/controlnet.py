"""The ControlNet tab: a picture from words, held to the outlines, depth, pose or the like of other pictures."""

from __future__ import annotations

import gradio as gr

from pipelines import Controlled, Studio
from ui.parts.control_units import TITLE
from ui.parts.sections import Draft, add_ons, basics, control, sampling, words
from ui.parts.send import TabForm
from ui.parts.stage import Stage

KIND = Controlled

__all__ = ["KIND", "TITLE", "build"]


def build(studio: Studio) -> TabForm:
    """The form on the left, its units right below the words; the stage on the right."""
    draft = Draft(studio, KIND, studio.checkpoints(KIND.kind))
    with gr.Row(elem_classes=["work", "with-units"], equal_height=False):
        with gr.Column(elem_classes=["form-side"], scale=5, min_width=320):
            words(draft)
            control(draft, prominent=True)
            basics(draft)
            sampling(draft)
            add_ons(draft)
        with gr.Column(elem_classes=["stage-side"], scale=9, min_width=320):
            stage = Stage(studio, KIND.kind)
    return TabForm(draft.finish(stage), stage)
