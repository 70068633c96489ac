"""The models tab: what is there, what is wrong with it, what is loaded, and where to get more."""

from __future__ import annotations

import gradio as gr

from pipelines import Studio
from ui.parts.components import piece
from ui.parts.library import LibraryHandlers

TITLE = "Models"


def build(studio: Studio) -> None:
    with gr.Column(elem_classes=["whole-side", "library-side"]):
        piece("library", "models-library", server_functions=LibraryHandlers(studio).functions)
