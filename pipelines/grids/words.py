"""Axes over the words of a prompt: searched and replaced, in another order, and each part left out in turn."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence

from models.errors import UserError
from pipelines.grids.typed import MOST_VALUES
from pipelines.requests.request import Drawing, Drawn
from pipelines.requests.wording import texts_of, with_texts

OPENS, CLOSES = "([{<", ")]}>"
WHOLE = "all words"
SAME = "as it is"


def replaced(request: Drawn, find: str, by: str) -> Drawn:
    """In every text that is drawn, as A1111's search and replace does in both prompts."""
    return with_texts(request, {name: text.replace(find, by) for name, text in texts_of(request).items()})


def check_found(request: Drawing, find: str) -> None:
    """Raises `UserError` where no text has it."""
    if not find or not any(find in text for text in texts_of(request).values()):
        raise UserError(f"“{find[:60]}” is not in the prompt. The first value is searched for, and each value takes its place in turn.")


def parts(prompt: str) -> list[str]:
    """What commas part, but not those in brackets."""
    found, depth = [""], 0
    for before, letter in itertools.pairwise(f" {prompt}"):
        escaped = before == "\\"
        depth += 0 if escaped else (letter in OPENS) - (letter in CLOSES and depth > 0)
        if letter == "," and depth == 0:
            found.append("")
        else:
            found[-1] += letter
    return [part.strip() for part in found if part.strip()]


def without(prompt: str, part: str) -> str:
    """Without the first part of these words; the prompt itself where there is none."""
    kept = parts(prompt)
    if part not in kept:
        return prompt
    kept.remove(part)
    return ", ".join(kept)


def orders(prompt: str, words: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """All orders of these words, which stand in the prompt, the one that they have there first. Raises `UserError`."""
    words = list(dict.fromkeys(words))
    if len(words) < 2:
        raise UserError("Write two words of the prompt or more, with commas between; they are put into every order.")
    for word in words:
        if word not in prompt:
            raise UserError(f"“{word[:60]}” is not in the prompt.")
    if (count := math.factorial(len(words))) > MOST_VALUES:
        raise UserError(f"{len(words)} words have {count:,} orders; {MOST_VALUES} values are the most. Write fewer words.")
    return itertools.permutations(sorted(words, key=prompt.index))


def reordered(prompt: str, words: Sequence[str]) -> str:
    """The places at which the words stand are filled in this order. A prompt that lacks one is as it is."""
    if not all(word in prompt for word in words):
        return prompt
    written, place = "", 0
    for old, new in zip(sorted(words, key=prompt.index), words, strict=True):
        start = prompt.find(old, place)
        if start < 0:  # two of them share letters
            return prompt
        written += prompt[place:start] + new
        place = start + len(old)
    return written + prompt[place:]
