"""What is seen of a prompt while it is written: the colours behind its words, and its time line. Places as JavaScript counts them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipelines import Studio
from pipelines.prompts.marks import Mark
from pipelines.services.time_line import TimeLine, line_told
from ui import messages

JOINS = {"prompt": True, "hires_prompt": True, "negative_prompt": False, "hires_negative_prompt": False, "second_prompt": False}
WIDE = "\uffff"  # what lies beyond takes two units


def seen(studio: Studio, checkpoint_id: str, values: Mapping[str, object]) -> dict[str, list[messages.PromptMark]]:
    """The marks of each prompt of a form. Raises `UserError` for no checkpoint."""
    texts = {name: str(values.get(name) or "") for name in JOINS}
    return {name: _marks(text, studio.prompts.marks(checkpoint_id, text, JOINS[name])) for name, text in texts.items() if text}


def line_seen(line: TimeLine | None, text: str) -> messages.TimeLine | None:
    """`text`: the prompt as it was typed."""
    return line_told(line, _units(text))


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
