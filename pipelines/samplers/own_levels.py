"""Noise levels that somebody has written down, as those of Align Your Steps are published. No torch."""

from __future__ import annotations

import re

from models.errors import UserError

MOST = 1000  # levels; the models know no more
HIGHEST = 20_000.0  # several times the highest level of any model
NUMBER = re.compile(r"\d+(?:\.\d*)?(?:e[+-]?\d+)?|\.\d+(?:e[+-]?\d+)?", re.ASCII | re.IGNORECASE)
NONE = "No noise levels are written down. Write some, the highest first: 14.6, 6.5, 3.9, 2.7, 1.4, 0.65, 0.15."


def read_levels(text: str) -> tuple[float, ...]:
    """Numbers with anything of " ,;[]" and line ends between them: falling, above 0, but for a 0 at the end, which every schedule has
    and which is left out here.

    Raises `UserError` with a sentence that names what is wrong.
    """
    words = re.split(r"[\s,;\[\]()]+", text.strip(" \t\r\n,;[]()"))
    if words == [""]:
        raise UserError(NONE)
    levels = [_number(word) for word in words]
    levels = levels[:-1] if levels[-1] == 0 and len(levels) > 1 else levels
    if len(levels) > MOST:
        raise UserError(f"{len(levels):,} noise levels are written down; {MOST:,} are the most. Take some out.")
    for before, level in zip([HIGHEST, *levels], levels, strict=False):
        if not 0 < level < before:
            raise UserError(_unsound(before, level))
    return tuple(levels)


def _number(word: str) -> float:
    if not NUMBER.fullmatch(word):
        raise UserError(f"“{word[:30]}” among the noise levels is no number. Write them as 14.6, 6.5, 3.9, with a point.")
    return float(word)


def _unsound(before: float, level: float) -> str:
    if level == 0:
        return "A noise level of 0 is the end of a drawing. Put it last, or leave it out."
    if before == HIGHEST:
        return f"A noise level of {level:g} is more than any model knows. Begin with the model's highest, which is about 14.6 for most."
    return f"Noise levels fall from step to step; {level:g} comes after {before:g}. Put them in order, the highest first."
