"""Components of our own: a skeleton and a module of `static/`, in Gradio's HTML component."""

from __future__ import annotations

import gradio as gr

from ui.gradio_types import Keyword
from ui.parts.scripts import LATER, LOADED, events, literal, static

GRADIO_S = ("server_functions", "interactive", "label", "visible", "scale", "min_width")  # properties that are not for the script
GIVEN = "element, trigger, props, server, watch"  # of what Gradio hands to the script of a component


def piece(name: str, elem_id: str, value: Keyword = None, **props: Keyword) -> gr.HTML:
    """Text from people enters only as text, never as markup: the skeleton names no value, the script writes `textContent`."""
    own = {name: props.pop(name) for name in [*props] if name not in GRADIO_S}
    # Gradio forgets the properties of a component that is updated before its tab was first opened, so the script brings them.
    given = f"Object.assign(props, {literal(own)});"
    # Gradio looks for the names of its events here.
    given_now = f"first_value.outlived({{ {GIVEN} }})"
    begun = f"on_demand.built({literal(name)}, {given_now})" if name in LATER else f"{name}.build({given_now})"
    build = f"{LOADED}.then(({{ {name}, on_demand, first_value }}) => {begun}); // tells {' '.join(events(name))}"
    look: dict[str, Keyword] = {"html_template": static(f"{name}.html"), "js_on_load": f"{given}\n{build}", "apply_default_css": False}
    return gr.HTML(value, elem_id=elem_id, elem_classes=[name], **look, **props)
