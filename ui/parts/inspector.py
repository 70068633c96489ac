"""The inspector, which tells all that made a picture, and the dialog that compares several. Both hear of pictures by events of the page.

emit("picture", { id })        the inspector shows this one
emit("compare", { ids })       two to four are compared, over the whole window
"""

from __future__ import annotations

import gradio as gr

from ui.parts.components import piece


def inspector() -> gr.HTML:
    """A page of a panel. It tells "send" with the fields that are to be taken over: see `ui.parts.send.connect`."""
    return piece("inspector", "inspector")


def compare() -> gr.HTML:
    """A dialog; where it is put does not matter."""
    return piece("compare", "compare")
