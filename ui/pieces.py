"""Components of our own: a skeleton and a script of `static/`, in Gradio's HTML component."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

STATIC = Path(__file__).parent / "static"


def static(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def piece(name: str, elem_id: str, value: Any = None, **props: Any) -> gr.HTML:
    """Text from people enters only as text, never as markup: the skeleton names no value, the script writes `textContent`."""
    look: dict[str, Any] = {"html_template": static(f"{name}.html"), "js_on_load": static(f"{name}.js"), "apply_default_css": False}
    return gr.HTML(value, elem_id=elem_id, elem_classes=[name], **look, **props)
