"""What people see. `page` builds it; `TABS` is its table of contents, in the order in which the tabs stand."""

from __future__ import annotations

from types import ModuleType

from ui.quick_gradio import gradio_stubs_untouched

with gradio_stubs_untouched():
    import gradio as gr

from pipelines import Studio
from ui.stage import header
from ui.tabs import models, txt2img

DAY = 86_400  # seconds; uploads that are older are removed
TABS: tuple[ModuleType, ...] = (txt2img, models)


def page(studio: Studio) -> gr.Blocks:
    """The whole page. Loads no model and no torch; raises `TypeError` when a form and its request disagree."""
    with gr.Blocks(title="Atelier", analytics_enabled=False, delete_cache=(DAY, DAY), fill_width=True) as blocks:
        header()
        with gr.Tabs(elem_id="tabs"):
            for tab in TABS:
                with gr.Tab(tab.TITLE, id=tab.__name__.rpartition(".")[2]):
                    tab.build(studio)
    return blocks
