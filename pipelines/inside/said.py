"""Words of a prompt and where the model reads them: the places of the text vectors that each word has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from models.diffusion_model import DiffusionModel
from pipelines.prompts.chunks import CHUNK, Placed, divided

PLACES = CHUNK + 2  # of a chunk: it begins and ends with a token of its own
START, FILLING = "(beginning)", "(end and filling)"


@dataclass(frozen=True)
class SpokenWord:
    """A word, and its places among the text vectors. `number`: which one of this spelling it is, from 0."""

    text: str
    places: tuple[int, ...]
    number: int = 0

    @property
    def is_plain(self) -> bool:
        """Neither a mark alone nor what begins and ends a chunk."""
        return self.text not in (START, FILLING) and re.search(r"\w", self.text) is not None


def spoken(model: DiffusionModel, text: str, count: int) -> tuple[SpokenWord, ...]:
    """The words of a plain prompt, then what begins, and what ends and fills its chunks: together all of the `count` vectors."""
    encoder = model.text_encoders[0]
    lengths = {name: len(entry.vectors.get(encoder.key, ())) for name, entry in model.embeddings.items()}
    chunks = divided(encoder.tokenizer, text, lengths)
    words = _numbered([word for number, tokens in enumerate(chunks) for word in _words(model, tokens, PLACES * number + 1)])
    starts = tuple(range(0, count, PLACES))
    taken = {*starts, *(place for word in words for place in word.places)}
    rest = tuple(place for place in range(count) if place not in taken)
    return (*words, SpokenWord(START, starts), SpokenWord(FILLING, rest))


def _words(model: DiffusionModel, tokens: Sequence[Placed], first: int) -> Iterator[SpokenWord]:
    """`first`: the place of the first token."""
    tokenizer, letters, places = model.tokenizer, "", list[int]()
    for name, group in groupby(enumerate(tokens, first), key=lambda each: (each[1].vector[0], each[1].offset) if each[1].vector else None):
        if name:
            yield SpokenWord(name[0], tuple(place for place, _ in group))
            continue
        for place, token in group:
            spelt, ends = tokenizer.spelt(token.id)
            letters, places = letters + spelt, [*places, place]
            if ends:
                yield SpokenWord(letters, tuple(places))
                letters, places = "", []
    if places:
        yield SpokenWord(letters, tuple(places))


def _numbered(words: Sequence[SpokenWord]) -> list[SpokenWord]:
    seen: dict[str, int] = {}
    numbered: list[SpokenWord] = []
    for word in words:
        seen[word.text] = seen.get(word.text, -1) + 1
        numbered.append(SpokenWord(word.text, word.places, seen[word.text]))
    return numbered
