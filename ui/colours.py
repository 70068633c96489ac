"""Colours of the studio, once: the theme of the page and the log-in page in front of it are made of them."""

from __future__ import annotations

from collections.abc import Mapping

ACCENT = (  # terracotta, from 50 to 950 as Gradio's themes number them
    "#fbf3ef", "#f6e3da", "#edc7b6", "#e2a58b", "#d98a6a", "#c4603a", "#b2512d", "#944125", "#773520", "#5f2c1c", "#431e13",
)  # fmt: skip
STRONG = ACCENT[6]  # under white words

# Name -> colour, of the page and of the log-in page. `on` are words on the accent.
LIGHT: Mapping[str, str] = {
    "paper": "#f5f3ee", "sheet": "#fffefb", "ink": "#211e1a", "quiet": "#6a6359", "line": "#e3dfd6", "edge": "#cfc9bd",
    "accent": STRONG, "strong": STRONG, "on": "#ffffff", "wash": "#faf1ec", "well": "#e9e6df", "warn": "#8a2b12", "alarm": "#fbe9e2",
}  # fmt: skip
DARK: Mapping[str, str] = {
    "paper": "#161412", "sheet": "#1e1b18", "ink": "#efe9e1", "quiet": "#a89f94", "line": "#302b26", "edge": "#463f38",
    "accent": "#e8865a", "strong": "#d9703f", "on": "#1a0d06", "wash": "#3a261b", "well": "#0f0e0c", "warn": "#f2b9a1", "alarm": "#3a1d13",
}  # fmt: skip


def colours(named: Mapping[str, str]) -> str:
    """As properties of a style sheet."""
    return " ".join(f"--{name}: {colour};" for name, colour in named.items())
