"""The panel on the right of the room: pages that one turns, of which one is seen. It can be closed; on a phone it is a sheet."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager

import gradio as gr

from ui.parts.components import piece


@contextmanager
def panel(pages: Mapping[str, str]) -> Generator[None]:
    """Holds the pages that are built within. `pages`: name -> title, in their order; the first is seen first."""
    with gr.Column(elem_id="panel"):
        piece("panel", "panel-head", pages=[{"name": name, "title": title} for name, title in pages.items()])
        yield


@contextmanager
def panel_page(name: str) -> Generator[None]:
    """One page, under its name in `panel`."""
    with gr.Column(elem_id=f"panel-{name}", elem_classes=["panel-page"]):
        yield
