"""The dial of the turn tab: a camera on a sphere, and the object as the model will see it."""

from __future__ import annotations

import base64

import gradio as gr
from gradio.context import LocalContext

from models.identify.turning import STABLE
from models.json_values import is_table
from pipelines import Studio, Turn, UserError
from pipelines.requests.made_for import LACKING
from ui.door.roles import role, user_of
from ui.messages import ThingQuestion, ThingSeen
from ui.parts.components import piece
from ui.parts.form import read

VIEW = ("azimuth", "elevation", "distance", "picture_elevation")
# Variant of a model -> fields of the view that it reads; all others read the first three.
READS = {STABLE: ("azimuth", "elevation", "picture_elevation"), "u": (), "p": ("elevation", "picture_elevation")}


def dial(studio: Studio) -> gr.HTML:
    """It sets the fields of the view, which stand beside it as numbers."""

    @role("viewer")
    def seen(asked: ThingQuestion) -> ThingSeen:
        return seen_by_model(studio, asked, user_of(LocalContext.request.get(None)))

    return piece("turn_dial", f"{Turn.kind}-dial", server_functions=[seen], kind=Turn.kind, view=VIEW, reads=READS)


def seen_by_model(studio: Studio, asked: ThingQuestion, user: str) -> ThingSeen:
    """As a data address, or a sentence that says why there is nothing to see."""
    try:
        if not is_table(values := asked.get("values")):
            raise UserError("Something was missing in what the page sent. Reload it.")
        if not studio.checkpoints(Turn.kind):
            raise UserError(LACKING[Turn.kind])
        asked_of = read(Turn, values)
        png = studio.uploads.thing(asked_of, user) if asked_of.image else b""
    except UserError as error:
        return {"picture": "", "says": str(error)}
    return {"picture": f"data:image/png;base64,{base64.b64encode(png).decode()}" if png else "", "says": ""}
