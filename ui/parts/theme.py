"""The theme: system fonts, neutral greys so that pictures keep their colours, one accent. Nothing is fetched from elsewhere."""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from pipelines import grammar_tables
from ui.colours import ACCENT, DARK, LIGHT
from ui.parts.components import piece_scripts, static

SANS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")
STYLES = (
    "atelier.css", "stage.css", "library.css", "canvas.css", "easel.css", "units.css", "unit_open.css",
    "depth.css", "depth_drive.css", "depth_pad.css", "region_pad.css", "touch.css",
)  # fmt: skip
SCRIPTS = (
    "look.js", "memory.js", "prompt_grammar.js", "weights.js", "keys.js",
    "raster.js", "canvas_store.js", "canvas_journal.js", "canvas_tint.js", "canvas_view.js", "canvas_hands.js", "desk.js",
    "numbers.js", "folds.js", "tabs.js", "paint_pad.js", "region_pad.js", "library_card.js",
    "unit_plot.js", "unit_parts.js", "unit_weights.js", "unit_pictures.js", "unit_card.js", "unit_maps.js",
    "depth_view.js", "depth_plot.js", "depth_pad.js",
)  # fmt: skip


def look() -> dict[str, Any]:
    """The arguments of `gr.mount_gradio_app` that give the page its looks and its scripts."""
    return {"theme": theme(), "head": head()}


def head() -> str:
    """Styles and scripts as elements of the page itself: there at once, with no further request."""
    tables = f"window.atelier = {{ grammar: {tables_as_script()} }};"
    scripts = "\n".join((tables, *(static(name) for name in SCRIPTS), piece_scripts()))
    styles = "".join(static(name) for name in STYLES)
    return f"<style>{styles}</style>\n<script>{scripts}</script>"


def tables_as_script() -> str:
    """The prompt grammar's tables for `prompt_grammar.js`, as a literal that can stand in a page."""
    return json.dumps(grammar_tables()).replace("<", "\\u003c")


def theme() -> gr.themes.Base:
    accent = gr.themes.Color(*ACCENT, "accent")
    grey = gr.themes.colors.neutral
    base = gr.themes.Base(primary_hue=accent, secondary_hue=accent, neutral_hue=grey, font=SANS, font_mono=MONO)
    return base.set(
        body_background_fill=LIGHT["paper"],
        body_background_fill_dark=DARK["paper"],
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_border_width_dark="0px",
        block_label_text_weight="500",
        block_title_text_weight="500",
        block_title_text_color="*neutral_800",
        block_title_text_color_dark="*neutral_200",
        block_info_text_color="*neutral_600",
        block_info_text_color_dark="*neutral_400",
        block_padding="0px",
        block_shadow="none",
        input_background_fill="#ffffff",
        input_background_fill_dark="#1b1b1b",
        input_border_color=LIGHT["line"],
        input_border_color_dark=DARK["line"],
        input_border_color_focus="*primary_500",
        input_border_color_focus_dark="*primary_400",
        input_border_width="1px",
        input_border_width_dark="1px",
        input_radius="8px",
        input_placeholder_color="*neutral_500",
        input_placeholder_color_dark="*neutral_400",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_500",
        button_primary_text_color="white",
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
    )
