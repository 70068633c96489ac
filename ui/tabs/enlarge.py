"""The enlarge tab: a picture, or several, at another size, by a classic filter or an upscaler."""

from __future__ import annotations

import gradio as gr

from pipelines import Enlarge, Studio
from ui.gradio_types import keywords
from ui.parts.canvas import plan
from ui.parts.choices import UPSCALERS, offer_upscalers, upscalers
from ui.parts.form import TabForm
from ui.parts.picture_list import pile
from ui.parts.sections import Draft, form_body, form_side, row, rows, start, ways
from ui.parts.source import source

TITLE = "Enlarge"
KIND = Enlarge
EACH = "Each of these is enlarged with the settings above, one after another, instead of the picture on top."


def build(studio: Studio) -> TabForm:
    """The picture, or several, and the new size; there are no words."""
    draft = Draft(studio, KIND)
    with form_side():
        with form_body(draft):
            ways(draft)
            with gr.Column(elem_classes=["card"]):
                draft.inputs["image"] = source(KIND)
                plan(studio, KIND)
            with gr.Column(elem_classes=["card", "more"]):
                draft.show("by")
                draft.slide("factor")
                with gr.Row():
                    draft.show("width", "height", min_width=120)
                for name in ("upscaler", "filter"):
                    _show(draft, name)
            with rows():
                with row(draft, "upscaling", "Blend and tiles"):
                    _show(draft, "second_upscaler")
                    draft.slide("blend")
                    with gr.Row():
                        draft.show("upscaler_tile", "upscaler_overlap", min_width=120)
                with row(draft, "several", "Several pictures"):
                    draft.inputs["images"] = pile(studio, KIND, EACH)
        with gr.Column(elem_classes=["form-foot"]):
            start(draft, "Enlarge")
    made = draft.finish()
    offer_upscalers(studio, made.form)
    return made


def _show(draft: Draft, name: str) -> None:
    """Dropdowns that the library fills, and others."""
    offered = keywords(choices=upscalers(draft.studio, name)) if name in UPSCALERS else {}
    draft.show(name, **offered)
