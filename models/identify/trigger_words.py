"""Trigger words of a LoRA, as training programs leave them in a file's metadata. Untrusted text: bounded, and shown as text."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

from models.json_values import is_whole, table

MOST_WORDS = 12
LONGEST = 80  # characters of a word
MOST_READ = 1_000_000  # characters of a table of tags


def trigger_words(metadata: Mapping[str, str]) -> tuple[str, ...]:
    """The phrase that the author gave, else the commonest tags of the training pictures (kohya's `ss_tag_frequency`)."""
    for key in ("modelspec.trigger_phrase", "trigger_phrase", "activation text"):
        if words := [word for part in metadata.get(key, "")[:2000].split(",") if (word := clean_word(part))]:
            return tuple(dict.fromkeys(words))[:MOST_WORDS]
    return _commonest(metadata.get("ss_tag_frequency", ""))


def _commonest(text: str) -> tuple[str, ...]:
    try:
        sets: object = json.loads(text) if 0 < len(text) <= MOST_READ else {}
    except (ValueError, RecursionError):
        return ()
    counts: Counter[str] = Counter()
    for tags in table(sets).values():
        counts.update(_counts(tags))
    return tuple(tag for tag, _ in counts.most_common(MOST_WORDS))


def _counts(tags: object) -> dict[str, int]:
    return {word: count for tag, count in table(tags).items() if is_whole(count) and 0 < count < 10**9 and (word := clean_word(tag))}


def clean_word(word: str) -> str:
    """On one line, without what cannot be printed: control and direction marks, halves of characters."""
    return " ".join("".join(character if character.isprintable() else " " for character in word[: 4 * LONGEST]).split())[:LONGEST].strip()
