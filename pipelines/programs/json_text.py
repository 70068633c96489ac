"""JSON texts from outside, as tables: never deeper or longer than can be read in a moment."""

from __future__ import annotations

import json

from models.json_values import table

LONGEST = 1_000_000  # characters


def as_json(text: str) -> object:
    """The JSON object that the text is; None when it is none. NaN, which some programs write, is null."""
    if len(text) > LONGEST or not text.lstrip("\ufeff \t\r\n").startswith("{"):
        return None
    try:
        return json.loads(text.lstrip("\ufeff").rstrip("\0"), parse_constant=lambda _: None)
    except (ValueError, RecursionError):
        return None


def as_table(text: str) -> dict[str, object]:
    """The same; an empty one when it is none."""
    return table(as_json(text))
