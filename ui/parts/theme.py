"""The theme: what Gradio colours by itself, in the colours and the typeface of the room. Nothing is fetched from elsewhere."""

from __future__ import annotations

import gradio.themes as themes

from ui.colours import ACCENT, DARK, LIGHT

SANS = ("Inter", "system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")


def look() -> dict[str, object]:
    """The arguments of `gr.mount_gradio_app` that give the page its looks; styles and scripts of our own are in ui/parts/assets.py."""
    return {"theme": theme()}


def theme() -> themes.Base:
    accent = themes.Color(*ACCENT, "accent")
    grey = themes.colors.neutral
    base = themes.Base(primary_hue=accent, secondary_hue=accent, neutral_hue=grey, font=SANS, font_mono=MONO)
    return base.set(  # pyright: ignore[reportUnknownMemberType]  # Gradio does not annotate its many colours
        body_background_fill=LIGHT["paper"],
        body_background_fill_dark=DARK["paper"],
        block_background_fill="transparent",
        block_background_fill_dark="transparent",
        block_border_width="0px",
        block_border_width_dark="0px",
        block_label_text_weight="500",
        block_title_text_weight="500",
        block_title_text_color=LIGHT["quiet"],
        block_title_text_color_dark=DARK["quiet"],
        block_info_text_color=LIGHT["quiet"],
        block_info_text_color_dark=DARK["quiet"],
        block_padding="0px",
        block_shadow="none",
        input_background_fill=LIGHT["sheet"],
        input_background_fill_dark=DARK["sheet"],
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
        button_primary_background_fill_dark=DARK["strong"],
        button_primary_background_fill_hover_dark=DARK["accent"],
        button_primary_text_color=LIGHT["on"],
        button_primary_text_color_dark=DARK["on"],
        body_text_color=LIGHT["ink"],
        body_text_color_dark=DARK["ink"],
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
    )
