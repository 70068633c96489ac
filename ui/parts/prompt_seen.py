"""What is seen of a prompt while it is written: the colours behind its words, and its time line. Places as JavaScript counts them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pipelines import Studio
from pipelines.prompts.marks import Mark
from pipelines.services.time_line import TimeLine
from ui import messages

JOINS = {"prompt": True, "hires_prompt": True, "negative_prompt": False, "hires_negative_prompt": False, "second_prompt": False}
WIDE = "\uffff"  # what lies beyond takes two units


def seen(studio: Studio, checkpoint_id: str, values: Mapping[str, object]) -> dict[str, list[messages.PromptMark]]:
    """The marks of each prompt of a form. Raises `UserError` for no checkpoint."""
    texts = {name: str(values.get(name) or "") for name in JOINS}
    return {name: _marks(text, studio.prompts.marks(checkpoint_id, text, JOINS[name])) for name, text in texts.items() if text}


def line_told(line: TimeLine | None, text: str) -> messages.TimeLine | None:
    """`text`: the prompt as it was typed."""
    if line is None:
        return None
    units = _units(text)
    return {
        "per": line.calls_a_step,
        "stretches": [{"first": each.first, "last": each.last, "says": each.says, "whole": each.whole} for each in line.stretches],
        "edges": [{"at": each.at, "start": units[each.start], "end": units[each.end], "share": each.is_share} for each in line.edges],
        "shares": list(line.shares),
        "calls": list(line.calls),
        "lanes": [{"name": each.name, "strengths": list(each.strengths)} for each in line.lanes],
    }


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
