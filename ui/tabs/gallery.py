"""The library tab: every picture that was made. In the code it is the gallery."""

from __future__ import annotations

import gradio as gr

from pipelines import KINDS, Studio
from ui.parts.components import piece
from ui.parts.reading import owns

TITLE = "Library"


def build(studio: Studio) -> None:
    kinds = {kind: request.title for kind, request in KINDS.items()}
    with gr.Column(elem_classes=["whole-side", "gallery-side"]):
        piece("gallery", "gallery", server_functions=[owns], kinds=kinds)
