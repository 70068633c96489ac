"""The page. `page` builds it; `TABS` is its table of contents, in the order in which the tabs stand."""

from __future__ import annotations

from types import ModuleType

from ui.gradio_import import gradio_stubs_untouched

with gradio_stubs_untouched():
    import gradio as gr

from pipelines import Studio
from ui.parts.inspector import compare, inspector
from ui.parts.send import TabForm, connect
from ui.parts.stage import header
from ui.tabs import controlnet, depth, enlarge, img2img, inpaint, models, outpaint, txt2img

DAY = 86_400  # seconds; uploads that are older are removed
TABS: tuple[ModuleType, ...] = (txt2img, img2img, inpaint, outpaint, controlnet, depth, enlarge, models)


def page(studio: Studio) -> gr.Blocks:
    """The whole page. Loads no model and no torch; raises `TypeError` when a form and its request disagree."""
    with gr.Blocks(title="Atelier", analytics_enabled=False, delete_cache=(DAY, DAY), fill_width=True) as blocks:
        header()
        tab_forms: dict[str, TabForm | None] = {}
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as tabs:
            for tab in TABS:
                name = tab.__name__.rpartition(".")[2]
                with gr.Tab(tab.TITLE, id=name):
                    tab_forms[name] = tab.build(studio)
        compare()
        connect(studio, {name: desk for name, desk in tab_forms.items() if desk}, tabs, inspector())
    return blocks
