"""People on the page: a dialog in which the owner makes links, and everybody else sees who they are here.

emit("people")         the dialog opens; what it shows comes by `ui/routes/people.py`
"""

from __future__ import annotations

import gradio as gr

from ui.parts.components import piece


def people() -> gr.HTML:
    """A dialog; where it is put does not matter. Who may not care for links finds none in it, and the server refuses them."""
    return piece("people", "people")
