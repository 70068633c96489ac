"""Detailers on the page: what looks for details and with what they are drawn, and the list of boxes that was found or drawn by hand.

Titles, explanations and limits are those of `Detailer` and `DetailBox`; only where a field stands on a card is decided here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, fields

import gradio as gr
from gradio.context import LocalContext

from models.json_values import is_table
from pipelines import DetailBox, Detailer, Details, Studio, UserError
from pipelines.jobs.errands import never
from pipelines.requests.details import COLOUR
from ui.door import presence
from ui.door.roles import role, user_of
from ui.messages import DetailBoxLine, DetailsQuestion, FoundBoxes, Message, OfferedDetector
from ui.parts.components import piece
from ui.parts.control_units import described
from ui.parts.controls import most
from ui.parts.form import read

FIRST = ("detector", "colour", "prompt", "strength")  # of a card's fields; the others are folded


def detailers(studio: Studio) -> gr.HTML:
    """The cards, and the button that finds. Its value is the list that the request takes; one card is there from the beginning."""

    @role("artist")
    def find(asked: DetailsQuestion) -> FoundBoxes | Message:
        request = LocalContext.request.get(None)
        return found(studio, asked, user_of(request), presence.gone(request))

    @role("viewer")
    def detectors(_: object = None) -> list[OfferedDetector]:
        return [{"name": each.name, "info": each.info, "why": each.why} for each in studio.finder.detectors()]

    own = {item.name: described(item) for item in fields(Detailer)}
    later = [name for name in own if name not in FIRST]
    offers = {"fields": own, "first": list(FIRST), "later": later, "colour": COLOUR, "most": most(Details, "detailers")}
    functions, start = [find, detectors], [asdict(Detailer())]
    return piece("detailers", f"{Details.kind}-detailers", start, server_functions=functions, kind=Details.kind, interactive=True, **offers)


def boxes() -> gr.HTML:
    """The list of boxes, each with its words. Its value is the list that the request takes."""
    own = {item.name: described(item) for item in fields(DetailBox)}
    given = {"kind": Details.kind, "fields": own, "most": most(Details, "boxes")}
    return piece("boxes", f"{Details.kind}-boxes", value=[], interactive=True, **given)


def found(studio: Studio, asked: DetailsQuestion, user: str, gone: Callable[[], bool] = never) -> FoundBoxes | Message:
    """The boxes of a picture, or why there are none."""
    try:
        if not is_table(asked):
            raise UserError("Something was missing in what the page sent. Reload it.")
        request = read(Details, {name: asked[name] for name in ("detailers", "image", "mask") if name in asked})
        seen = studio.finder.find(request, user, gone)
    except UserError as error:
        return {"message": str(error)}
    return {"boxes": [DetailBoxLine(**asdict(each)) for each in seen.boxes], "labels": list(seen.labels), "words": seen.words}
