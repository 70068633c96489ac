"""Presets on the page: a dialog that shows what they would make of the form that is open, and puts that into it.

emit("presets", {kind})        the dialog opens for the form of that kind
"""

from __future__ import annotations

from collections.abc import Mapping

import gradio as gr

from models.json_values import is_list
from pipelines import Studio, UserError
from ui.door.roles import role, user_of
from ui.gradio_types import CALM, Updates, listener
from ui.parts.components import piece
from ui.parts.form import TabForm, drawing_of
from ui.parts.stage import told


def presets(studio: Studio, tab_forms: Mapping[str, TabForm]) -> gr.HTML:
    """A dialog; where it is put does not matter. What it keeps and reads goes over `ui/routes/presets.py`."""
    view = piece("presets", "presets")
    drawn = {kind: each.form for kind, each in tab_forms.items() if "prompt" in each.form.inputs}

    @role("artist")
    def fill(event: gr.EventData, request: gr.Request) -> Updates:
        kind, asked = str(getattr(event, "kind", "")), getattr(event, "ids", None)
        with told("Not applied"):
            if kind not in drawn or not is_list(asked):
                raise UserError("There is no such form. Reload the page.")
            held, ids = drawing_of(kind, getattr(event, "values", None)), [each for each in asked if isinstance(each, str)]
            found = studio.presets.applied(user_of(request), ids, held)
        form = drawn[kind]
        return {**form.fill(found.request, leave=[name for name in form.inputs if name not in found.names])}

    listener(view, "fill")(fill, None, [component for form in drawn.values() for component in form.components], **CALM)
    return view
