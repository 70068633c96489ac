"""What is seen of a prompt while it is written: the colours behind its words, and its time line. Places as JavaScript counts them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipelines import Studio
from pipelines.prompts.marks import JOINS, Mark
from pipelines.services.time_line import TimeLine, lines_told
from ui import messages

WIDE = "\uffff"  # what lies beyond takes two units


def seen(studio: Studio, checkpoint_id: str, values: Mapping[str, object]) -> dict[str, list[messages.PromptMark]]:
    """The marks of each prompt of a form. Raises `UserError` for no checkpoint."""
    texts = texts_in(values)
    return {name: _marks(text, studio.prompts.marks(checkpoint_id, text, JOINS[name])) for name, text in texts.items() if text}


def lines_seen(lines: Sequence[TimeLine], values: Mapping[str, object]) -> list[messages.TimeLine]:
    texts = texts_in(values)
    return lines_told(lines, lambda field: _units(texts[field]))


def texts_in(values: Mapping[str, object]) -> dict[str, str]:
    """The prompts of a form as they were typed."""
    return {name: str(values.get(name) or "") for name in JOINS}


def _marks(text: str, found: Iterable[Mark]) -> list[messages.PromptMark]:
    units = _units(text)
    return [{"kind": each.kind, "start": units[each.start], "end": units[each.end]} for each in found]


def _units(text: str) -> Sequence[int]:
    """How many UTF-16 units stand before each character, and in all."""
    if not text or max(text) <= WIDE:
        return range(len(text) + 1)
    units = [0]
    for character in text:
        units.append(units[-1] + 1 + (character > WIDE))
    return units
