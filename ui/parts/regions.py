"""Regions on the page: parts of the picture with words of their own, as rows of the form and on a sheet on which they are painted.

Titles, explanations and limits are those of `Region`.
"""

from __future__ import annotations

from dataclasses import fields

import gradio as gr

from pipelines import Drawing
from pipelines.requests.region import Region
from ui.parts.components import piece
from ui.parts.control_units import described
from ui.parts.controls import most

SHOWN = ("prompt", "weight")


def regions(kind: type[Drawing]) -> gr.HTML:
    """The list of regions. Its value is the list that the request takes; what is shown of it comes when it is first looked at."""
    own = {item.name: described(item) for item in fields(Region) if item.name in SHOWN}
    blank = {item.name: item.default for item in fields(Region)}
    given = {"kind": kind.kind, "fields": own, "blank": blank, "most": most(kind, "regions")}
    return piece("regions", f"{kind.kind}-regions", value=[], interactive=True, offers=given, label="Regions")
