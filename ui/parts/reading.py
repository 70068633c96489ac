"""Readings on the page: a card that shows what a dropped file or a pasted text says of how it was made, before it goes into a form.

emit("reading")        the card opens and asks for a file or a text
emit("folders")        a dialog opens in which the owner brings in folders of pictures
"""

from __future__ import annotations

import gradio as gr
from gradio.context import LocalContext

from ui.door.roles import role, role_of
from ui.parts.components import piece


@role("viewer")
def owns(_: object = None) -> bool:
    """Whether who asks may bring in folders."""
    return role_of(LocalContext.request.get(None)) == "owner"


def reading() -> gr.HTML:
    """A card over the surface; where it is put does not matter. It tells "read": see `ui.parts.send.connect_readings`."""
    return piece("reading", "reading", server_functions=[owns])


def folders() -> gr.HTML:
    """A dialog; where it is put does not matter. Who is not the owner finds no way to it, and the server refuses them."""
    return piece("folders_in", "folders-in")
