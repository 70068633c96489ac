"""The source picture of a tab where nothing is painted on it: dropped, pasted or opened, and shown as it is."""

from __future__ import annotations

import gradio as gr

from pipelines import WithPicture
from ui.parts.components import piece
from ui.parts.form import declared


def source(kind: type[WithPicture]) -> gr.HTML:
    """Its value is the picture's id. What is transparent stays so."""
    title = declared(kind, "image").metadata["title"]
    return piece("source", f"{kind.kind}-image", value="", kind=kind.kind, interactive=True, label=title)
