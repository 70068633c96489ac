"""Sections that the forms of several tabs are made of: what is asked for, with what, at which size, how it is sampled."""

from __future__ import annotations

from dataclasses import dataclass, field

import gradio as gr
from gradio.components import Component

from pipelines import Checkpoint, Drawing, Request, Studio
from ui.gradio_types import Keyword, keywords
from ui.parts import controls
from ui.parts.choices import choices, offer
from ui.parts.control_units import units
from ui.parts.form import CARRIED, Form
from ui.parts.stage import Stage, prompt_notes


@dataclass
class Draft:
    """A form in the making: its components by field name, and the buttons that belong to them."""

    studio: Studio
    kind: type[Request]
    checkpoints: list[Checkpoint] = field(default_factory=list[Checkpoint])  # for what is drawn with one, one at least
    inputs: dict[str, Component] = field(default_factory=dict[str, Component])
    buttons: dict[str, gr.Button] = field(default_factory=dict[str, gr.Button])
    aspects: list[gr.Button] = field(default_factory=list[gr.Button])

    @property
    def start(self) -> dict[str, object]:
        """What the form holds when nothing is typed."""
        return controls.starting_values(self.kind, self.checkpoints[0]) if self.checkpoints else controls.defaults(self.kind)

    def show(self, *names: str, **look: Keyword) -> None:
        """Adds a control for each field."""
        for name in names:
            value = self.start[name]
            start = {} if isinstance(value, tuple) else keywords(value=value)
            self.inputs[name] = controls.control(self.kind, name, **start, **look)

    def slide(self, *names: str) -> None:
        for name in names:
            self.inputs[name] = controls.slider(self.kind, name, value=self.start[name])

    def finish(self, stage: Stage) -> Form:
        """The form and its buttons, wired; the lists of one that names models are kept as the library is."""
        draws = issubclass(self.kind, Drawing)
        if draws:
            self.inputs[CARRIED] = gr.Textbox("", elem_id=f"{self.kind.kind}-carried", elem_classes=["behind"], container=False)
        form = Form(self.kind, self.inputs)
        if draws:
            offer(self.studio, form)
            controls.wire(form, self.buttons["swap"], self.aspects, self.buttons["dice"])
            stage.connect_seed(form, self.buttons["reuse"])
        controls.remember(form)
        stage.connect(form, self.buttons["generate"])
        return form


def words(draft: Draft, says: str = "Generate") -> None:
    """The prompts, and the button that starts."""
    with gr.Column(elem_classes=["card", "words"]):
        draft.inputs |= controls.prompt(draft.kind)
        prompt_notes(draft.studio, draft.kind.kind, draft.checkpoints)
        draft.inputs |= controls.negative_prompt(draft.kind)
        draft.buttons["generate"] = controls.generate(draft.kind, says)


def basics(draft: Draft) -> None:
    """Checkpoint, LoRAs, size, seed."""
    with gr.Column(elem_classes=["card"]):
        draft.inputs |= controls.checkpoint(draft.kind, draft.checkpoints)
        draft.show("loras")
        sides, draft.buttons["swap"], draft.aspects = controls.size(draft.kind, draft.start)
        seed, draft.buttons["dice"], draft.buttons["reuse"] = controls.seeds(draft.kind)
        draft.inputs |= sides | seed


def control(draft: Draft, prominent: bool = False) -> None:
    """The control units. Where the tab is about something else they wait folded."""
    assert issubclass(draft.kind, Drawing), "control units steer a drawing"
    with gr.Column(elem_classes=["card"]):
        draft.inputs["controls"] = units(draft.studio, draft.kind, prominent)


def sampling(draft: Draft) -> None:
    with gr.Accordion("Sampling and batches", open=False, elem_id=f"{draft.kind.kind}-sampling", elem_classes=["card", "more"]):
        with gr.Row():
            draft.show("sampler", "schedule", min_width=140)
        draft.slide("steps", "guidance_scale", "guidance_rescale")
        with gr.Row():
            draft.show("batch_count", "batch_size", min_width=140)
        draft.slide("variation_strength")
        draft.show("variation_seed")


def add_ons(draft: Draft) -> None:
    with gr.Accordion("VAE, refiner and add-ons", open=False, elem_id=f"{draft.kind.kind}-add-ons", elem_classes=["card", "more"]):
        vaes = choices(draft.studio, draft.kind, "vae", str(draft.start["checkpoint"]))
        draft.inputs["vae"] = controls.control(draft.kind, "vae", choices=vaes, value="")
        draft.slide("clip_skip")
        draft.show("hypernetworks")
        offered = choices(draft.studio, draft.kind, "refiner", str(draft.start["checkpoint"]))
        draft.inputs["refiner"] = controls.control(draft.kind, "refiner", choices=offered, value="")
        draft.slide("refiner_start")
