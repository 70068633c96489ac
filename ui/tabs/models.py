"""The library: what is there, what is wrong with it, what is loaded, and where to get more."""

from __future__ import annotations

import gradio as gr

from pipelines import Studio
from ui.library_desk import LibraryDesk
from ui.pieces import piece

TITLE = "Models"


def build(studio: Studio) -> None:
    with gr.Column(elem_classes=["library-side"]):
        piece("library", "models-library", server_functions=LibraryDesk(studio).functions)
