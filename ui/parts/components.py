"""Components of our own: a skeleton and a script of `static/`, in Gradio's HTML component."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import gradio as gr

GRADIO_S = ("server_functions", "interactive", "label", "visible", "scale", "min_width")  # properties that are not for the script
GIVEN = "element, trigger, props, server, upload, watch"  # what Gradio hands to the script of a component
STATIC = Path(__file__).parents[1] / "static"


def static(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def piece_scripts() -> str:
    """The scripts of all components as functions for the page's head: six tabs have the same ones, and each is sent and read once."""
    names = sorted(file.stem for file in STATIC.glob("*.html"))
    functions = (f"atelier.pieces.{name} = function ({GIVEN}) {{\n{static(f'{name}.js')}}};" for name in names)
    return "\n".join(("atelier.pieces = {};", *functions))


def piece(name: str, elem_id: str, value: Any = None, **props: Any) -> gr.HTML:
    """Text from people enters only as text, never as markup: the skeleton names no value, the script writes `textContent`."""
    own = {name: props.pop(name) for name in [*props] if name not in GRADIO_S}
    # Gradio forgets the properties of a component that is updated before its tab was first opened, so the script brings them.
    given = json.dumps(own).replace("<", "\\u003c")
    events = re.findall(r'trigger\(("\w+")', static(f"{name}.js"))  # Gradio looks for their names here
    script = f"Object.assign(props, {given});\natelier.pieces.{name}({GIVEN}); // tells {' '.join(events)}"
    look: dict[str, Any] = {"html_template": static(f"{name}.html"), "js_on_load": script, "apply_default_css": False}
    return gr.HTML(value, elem_id=elem_id, elem_classes=[name], **look, **props)
