"""Safe text: texts out of files, made fit to be shown: they are anybody's. Escaping them is the page's business."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping

LONGEST_NAME = 160  # characters
LONGEST_KEY, LONGEST_VALUE, MOST_ENTRIES, MOST_TEXT = 100, 2000, 80, 16_000  # characters, entries, characters in all
BULKY = ("ss_tag_frequency", "ss_bucket_info", "ss_dataset_dirs", "ss_datasets", "modelspec.thumbnail", "__metadata__")


def shown(text: str, limit: int = LONGEST_NAME) -> str:
    """On one line, without control and direction marks or broken characters, at most `limit` characters, never empty."""
    if text.isprintable() and 0 < len(text) <= limit and text == text.strip() and "  " not in text:
        return text
    whole = os.fsencode(text[: 4 * limit]).decode("utf-8", errors="replace") if not text.isascii() else text
    kept = "".join(character if _is_plain(character) else " " for character in whole[: 2 * limit])
    return " ".join(kept.split())[:limit].strip() or "unnamed"


def bounded(metadata: Mapping[str, str]) -> dict[str, str]:
    """A file's metadata without the parts that are for programs, each text and all together bounded."""
    result: dict[str, str] = {}
    room = MOST_TEXT
    for key, value in metadata.items():
        if key in BULKY or not value or value == "None" or len(result) == MOST_ENTRIES or room <= 0:
            continue
        text = _lines(value[: min(LONGEST_VALUE, room)])
        result[shown(key, LONGEST_KEY)] = text
        room -= len(text)
    return result


def _lines(text: str) -> str:
    return text if text.isprintable() else "".join(character if character == "\n" or _is_plain(character) else " " for character in text)


def _is_plain(character: str) -> bool:
    """Not a control character, a direction mark, or half of a pair."""
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
