"""The inside tab: what the model did for a picture, step by step and word by word."""

from __future__ import annotations

import gradio as gr

from pipelines import Studio
from ui.parts.components import piece

TITLE = "Inside"


def build(studio: Studio) -> None:
    with gr.Column(elem_classes=["whole-side", "inside-side"]):
        piece("inside", "inside")
