"""Unknown words of a prompt, which a model has never seen. Only a model with a small vocabulary knows what it does not know."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import groupby

from pipelines.prompts.weights import Weighted

POSSESSIVE = re.compile(r"['’]s\b|['’](?=\W|$)|(?<!\w)['’]")


def unknown_words(runs: Iterable[Weighted], known: frozenset[str]) -> tuple[str, ...]:
    """The words of a prompt that are not in `known` (lower case), each once, in the order they come.

    Names of embeddings, weights, punctuation, digits and emoji are no words; "dog's" is the word dog; "two-storey" is two words.
    """
    words = (word for run in runs if not run.is_break and not run.name for word in _words(run.text))
    return tuple(dict.fromkeys(word for word in words if word not in known))


def unknown_in(run: Weighted, known: frozenset[str]) -> Iterator[tuple[int, int]]:
    """Where in the text of a run such words stand."""
    start = 0
    for spells, letters in groupby(run.text, _spells):
        stretch = "".join(letters)
        if spells and any(word not in known for word in _words(stretch)):
            yield start, start + len(stretch)
        start += len(stretch)


def _words(text: str) -> list[str]:
    """Letters with their accents; an apostrophe stays within a word, as in don't."""
    plain = POSSESSIVE.sub(" ", unicodedata.normalize("NFC", text).lower())
    letters = "".join(character if _spells(character) else " " for character in plain)
    return [word for word in letters.split() if any(character.isalpha() for character in word)]


def _spells(character: str) -> bool:
    return character in "'’" or unicodedata.category(character)[0] in "LM"
