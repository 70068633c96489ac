"""The finish's page of the panel: steps that are taken with finished pictures, made of what the tabs of their kinds hold."""

from __future__ import annotations

from collections.abc import Mapping

import gradio as gr

from models.json_values import is_table
from pipelines import Studio, UserError
from pipelines.requests.finish import FINISHING, ONE, bare
from pipelines.requests.request import restore
from ui.door.roles import role
from ui.gradio_types import CALM, Updates, listener
from ui.parts.components import piece
from ui.parts.form import TabForm
from ui.parts.stage import told


def finish(studio: Studio, tab_forms: Mapping[str, TabForm], tabs: gr.Tabs) -> gr.HTML:
    """The page. What it saves and applies goes over `ui/routes/finishes.py`; a step that is to be changed fills the form of its tab."""
    kinds = {kind.kind: kind.title for kind in FINISHING if kind.kind in tab_forms}
    view = piece("finish", "finish", kinds=kinds)

    @role("artist")
    def fill(event: gr.EventData) -> Updates:
        with told("Not shown"):
            asked = getattr(event, "request", None)
            if not is_table(asked):
                raise UserError("Something was missing in what the page sent. Reload it.")
            step = bare(restore(asked))
            if step.kind not in kinds:
                raise UserError("There is no such tab. Reload the page.")
        return {tabs: gr.Tabs(selected=step.kind)} | tab_forms[step.kind].form.fill(step, leave=list(ONE))

    outputs = [tabs, *(component for kind in kinds for component in tab_forms[kind].form.components)]
    listener(view, "fill")(fill, None, outputs, **CALM)
    return view
