"""Colours of the studio, once: the theme of the page and the log-in page in front of it are made of them."""

from __future__ import annotations

from collections.abc import Mapping

ACCENT = (  # terracotta, from 50 to 950 as Gradio's themes number them
    "#fbf3ef", "#f6e3da", "#edc7b6", "#e2a58b", "#d98a6a", "#c4603a", "#b2512d", "#944125", "#773520", "#5f2c1c", "#431e13",
)  # fmt: skip
STRONG = ACCENT[6]  # under white words

# Of the log-in page: name -> colour. `on` are words on the accent.
LIGHT: Mapping[str, str] = {
    "paper": "#f4f4f3", "sheet": "#fcfcfb", "ink": "#1f1f1f", "quiet": "#5c5c5a", "line": "#d2d2cf", "accent": STRONG, "on": "#ffffff",
}  # fmt: skip
DARK: Mapping[str, str] = {
    "paper": "#161616", "sheet": "#1d1d1d", "ink": "#ececec", "quiet": "#a9a9a7", "line": "#3d3d3d", "accent": STRONG, "on": "#ffffff",
}  # fmt: skip


def colours(named: Mapping[str, str]) -> str:
    """As properties of a style sheet."""
    return " ".join(f"--{name}: {colour};" for name, colour in named.items())
