"""Components of our own: a skeleton and a script of `static/`, in Gradio's HTML component."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr

GRADIO_S = ("server_functions", "interactive", "label", "visible", "scale", "min_width")  # properties that are not for the script
STATIC = Path(__file__).parent / "static"


def static(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def piece(name: str, elem_id: str, value: Any = None, **props: Any) -> gr.HTML:
    """Text from people enters only as text, never as markup: the skeleton names no value, the script writes `textContent`."""
    own = {name: props.pop(name) for name in [*props] if name not in GRADIO_S}
    # Gradio forgets the properties of a component that is updated before its tab was first opened, so the script brings them.
    given = json.dumps(own).replace("<", "\\u003c")
    script = f"Object.assign(props, {given});\n{static(f'{name}.js')}"
    look: dict[str, Any] = {"html_template": static(f"{name}.html"), "js_on_load": script, "apply_default_css": False}
    return gr.HTML(value, elem_id=elem_id, elem_classes=[name], **look, **props)
