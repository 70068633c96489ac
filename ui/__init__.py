"""The page. `page` builds it; `TABS` is its table of contents, in the order in which the tabs stand."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

from ui.gradio_import import gradio_stubs_untouched

with gradio_stubs_untouched():
    import gradio as gr

from pipelines import Studio
from ui.parts.finish import finish
from ui.parts.form import TabForm
from ui.parts.inspector import compare, inspector
from ui.parts.panel import panel, panel_page
from ui.parts.people import people
from ui.parts.presets import presets
from ui.parts.queue import queue
from ui.parts.reading import folders, reading
from ui.parts.send import connect, connect_readings
from ui.parts.stage import Stage, header
from ui.tabs import (
    controlnet,
    depth,
    details,
    enlarge,
    gallery,
    hires,
    img2img,
    inpaint,
    inside,
    models,
    outpaint,
    turn,
    txt2img,
    upscale,
    video,
)

PAGES = {"inspector": "Inspector", "queue": "Queue", "finish": "Finish"}  # of the panel
DAY = 86_400  # seconds; uploads that are older are removed
TABS: tuple[ModuleType, ...] = (
    txt2img,
    img2img,
    inpaint,
    outpaint,
    controlnet,
    depth,
    hires,
    details,
    enlarge,
    upscale,
    video,
    turn,
    inside,
    models,
    gallery,
)


def page(studio: Studio, tabs: Sequence[ModuleType] = TABS) -> gr.Blocks:
    """The whole page, with these tabs. Loads no model and no torch; raises `TypeError` when a form and its request disagree.

    One room: a bar on top, the form of the open tab on the left, the surface in the middle, a strip of pictures at the foot. A tab
    changes the form and, where it has a canvas, what the surface is; never the room. Where each part stands is in `static/room.css`.
    """
    with gr.Blocks(title="Atelier", analytics_enabled=False, delete_cache=(DAY, DAY), fill_width=True) as blocks:
        with gr.Column(elem_id="room"):
            header()
            row, forms = _tabs(studio, tabs)
            stage = Stage(studio)
            with panel(PAGES):
                with panel_page("inspector"):
                    about = inspector()
                with panel_page("queue"):
                    queue(studio, forms, row)
                with panel_page("finish"):
                    finish(studio, forms, row)
        compare()
        readings = reading()
        folders()
        people()
        presets(studio, forms)
        connect(studio, forms, stage, row, about)
        connect_readings(studio, readings, forms, row)
    return blocks


def _tabs(studio: Studio, tabs: Sequence[ModuleType]) -> tuple[gr.Tabs, dict[str, TabForm]]:
    forms: dict[str, TabForm] = {}
    with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as row:
        for tab in tabs:
            name = name_of(tab)
            with gr.Tab(tab.TITLE, id=name, elem_id=f"tab-{name}"):
                form: TabForm | None = tab.build(studio)
            if form:
                forms[name] = form
    return row, forms


def name_of(tab: ModuleType) -> str:
    """The name of a tab: that of its file, and the kind of its request where it has a form."""
    return tab.__name__.rpartition(".")[2]
