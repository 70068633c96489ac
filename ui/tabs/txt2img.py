"""A picture from words alone."""

from __future__ import annotations

from typing import Any

import gradio as gr
from gradio.components import Component

from pipelines import Studio, TextToImage
from ui import controls
from ui.form import Form
from ui.offers import choices, offer
from ui.stage import Stage, prompt_notes

TITLE = "Text to image"
KIND = TextToImage


def build(studio: Studio) -> None:
    """The form on the left, the stage on the right."""
    checkpoints = studio.checkpoints()
    start = controls.starting_values(KIND, checkpoints[0])
    with gr.Row(elem_classes=["work"], equal_height=False):
        with gr.Column(elem_classes=["form-side"], scale=5, min_width=320):
            with gr.Column(elem_classes=["card", "words"]):
                prompt = controls.prompt(KIND)
                prompt_notes(studio, KIND.kind, checkpoints)
                negative = controls.negative_prompt(KIND)
                generate = controls.generate(KIND, "Generate")
            with gr.Column(elem_classes=["card"]):
                chosen = controls.checkpoint(KIND, checkpoints)
                loras = {"loras": controls.control(KIND, "loras")}
                sides, swap, aspects = controls.size(KIND, start)
                seed, dice, reuse = controls.seeds(KIND)
            with gr.Accordion("Sampling and batches", open=False, elem_classes=["card", "more"]):
                more = _more(start)
            with gr.Accordion("VAE, refiner and add-ons", open=False, elem_classes=["card", "more"]):
                added = _add_ons(studio, start)
            form = Form(KIND, {**prompt, **negative, **chosen, **loras, **sides, **seed, **more, **added})
        with gr.Column(elem_classes=["stage-side"], scale=9, min_width=320):
            stage = Stage(studio, KIND.kind)
    offer(studio, form)
    controls.wire(form, swap, aspects, dice)
    controls.remember(form)
    stage.connect(form, generate, reuse)


def _more(start: dict[str, Any]) -> dict[str, Component]:
    with gr.Row():
        sampler = controls.control(KIND, "sampler", value=start["sampler"], min_width=140)
        schedule = controls.control(KIND, "schedule", value=start["schedule"], min_width=140)
    steps = controls.slider(KIND, "steps", value=start["steps"])
    guidance = controls.slider(KIND, "guidance_scale", value=start["guidance_scale"])
    rescale = controls.slider(KIND, "guidance_rescale", value=start["guidance_rescale"])
    with gr.Row():
        count = controls.control(KIND, "batch_count", value=start["batch_count"], min_width=140)
        size = controls.control(KIND, "batch_size", value=start["batch_size"], min_width=140)
    how = {"sampler": sampler, "schedule": schedule, "steps": steps, "guidance_scale": guidance, "guidance_rescale": rescale}
    return how | {"batch_count": count, "batch_size": size}


def _add_ons(studio: Studio, start: dict[str, Any]) -> dict[str, Component]:
    vae = controls.control(KIND, "vae", choices=choices(studio, "vae", start["checkpoint"]), value="")
    skip = controls.slider(KIND, "clip_skip", value=start["clip_skip"])
    hypernetworks = controls.control(KIND, "hypernetworks")
    refiner = controls.control(KIND, "refiner", choices=choices(studio, "refiner", start["checkpoint"]), value="")
    begins = controls.slider(KIND, "refiner_start", value=start["refiner_start"])
    return {"vae": vae, "clip_skip": skip, "hypernetworks": hypernetworks, "refiner": refiner, "refiner_start": begins}
