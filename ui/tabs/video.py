"""The video tab: a picture begins to move."""

from __future__ import annotations

from functools import partial

import gradio as gr

from pipelines import Clip, Studio
from ui.parts import controls
from ui.parts.canvas import plan
from ui.parts.components import piece
from ui.parts.form import TabForm, declared
from ui.parts.sections import SAMPLER_LINES, SCHEDULE_LINES, Draft, form_body, form_side, hint, hinted, row, rows, start
from ui.parts.source import source

TITLE = "Video"
KIND = Clip


def build(studio: Studio) -> TabForm:
    """The picture, and how it shall move; there are no words. What is 0 is as the model was trained."""
    draft = Draft(studio, KIND, studio.checkpoints(KIND.kind))
    with form_side():
        with form_body(draft):
            with gr.Column(elem_classes=["card"]):
                draft.inputs["image"] = source(KIND)
                plan(studio, KIND)
            with gr.Column(elem_classes=["card", "more"]):
                draft.inputs |= controls.checkpoint(KIND, draft.checkpoints)
                draft.slide("motion", "picture_noise")
            with rows():
                _length(draft)
                with row(draft, "pulled", "Guidance"):
                    draft.slide("guidance_first", "guidance_last")
                    draft.show("guidance_shape")
                _sampling(draft)
        _foot(draft)
    return draft.finish()


def _length(draft: Draft) -> None:
    with row(draft, "length", "Frames and size", opened=True):
        with gr.Row():
            draft.show("frames", "frames_a_second", min_width=100)
        sides, draft.buttons["swap"] = controls.sides(KIND, draft.start)
        draft.inputs |= sides


def _sampling(draft: Draft) -> None:
    with row(draft, "sampling", "Sampling"), gr.Row():
        for name, lines in (("sampler", SAMPLER_LINES), ("schedule", SCHEDULE_LINES)):
            says = partial(hint, declared(KIND, name).metadata["info"], lines)
            draft.show(name, info=says(draft.start[name]), min_width=120)
            hinted(draft.inputs[name], says)
    with row(draft, "decoded", "Decoding and files"):
        draft.slide("decode_chunk")
        piece("clip_files", f"{KIND.kind}-files")


def _foot(draft: Draft) -> None:
    with gr.Column(elem_classes=["form-foot"]):
        with gr.Row(elem_classes=["minute", "fewest"]):
            draft.show("steps", min_width=40)
            seed, draft.buttons["dice"], draft.buttons["reuse"] = controls.seeds(KIND)
        draft.inputs |= seed
        start(draft, "Make the clip")
