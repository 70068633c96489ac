"""The list of several pictures that a job begins with in turn: uploads of anybody, or a folder of the owner's machine."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import gradio as gr
from gradio.context import LocalContext

from pipelines import Enlarge, ImageToImage, Studio, UserError
from ui.door.roles import role, role_of, user_of
from ui.messages import FolderPictures, PictureUseLine
from ui.parts import controls
from ui.parts.components import piece

SHOWN_NOTES = 5  # sentences about pictures of a folder that cannot be used


def pile(studio: Studio, kind: type[ImageToImage | Enlarge], words: str) -> gr.HTML:
    """`words`: what is done with them, in a sentence."""
    most, transparent = controls.most(kind, "images"), issubclass(kind, Enlarge)

    @role("viewer")
    def owns(_: object = None) -> bool:
        return role_of(LocalContext.request.get(None)) == "owner"

    @role("owner")
    def folder(path: str) -> FolderPictures:
        try:
            uses, notes = studio.uploads.folder(
                Path(str(path)[:4096]).expanduser(), user_of(LocalContext.request.get(None)), most, transparent
            )
        except UserError as error:
            return {"images": [], "notes": [str(error)]}
        more = [f"and {len(notes) - SHOWN_NOTES} more"] if len(notes) > SHOWN_NOTES else []
        return {"images": [PictureUseLine(**asdict(use)) for use in uses], "notes": notes[:SHOWN_NOTES] + more}

    given = {"most": most, "transparent": transparent, "words": words}
    return piece("pile", f"{kind.kind}-images", value=[], server_functions=[owns, folder], interactive=True, **given)
