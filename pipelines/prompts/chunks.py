"""Chunks: what a prompt says at one step, of any length, as runs of 75 tokens, each between a start and an end token: 77 places.

The rules are A1111's: a chunk that is full gives back what follows its last comma, if that is near enough, so that a
phrase is not torn apart; BREAK fills up a chunk; an empty prompt is one chunk. A word that an embedding stands for takes as many
places as the embedding has vectors, and what does not fit the rest of a chunk begins the next one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.prompts.grammar import plain_runs
from pipelines.prompts.names import Names
from pipelines.prompts.tokenizer import Tokenizer
from pipelines.prompts.weights import Weighted

CHUNK = 75  # tokens of the prompt in one chunk
COMMA_REACH = 20  # how many tokens a full chunk gives back, at most, for the sake of a comma
PLACEHOLDER = 0  # the id where a vector goes: an ordinary token in every vocabulary, which no encoder takes for the end

Words = Mapping[str, int]  # an embedding's name -> how many vectors it has; with none its words are ordinary ones
NO_WORDS: Words = {}


@dataclass(frozen=True, slots=True)
class Chunk:
    """A chunk of a prompt, which the text encoder reads at once."""

    ids: tuple[int, ...]  # 77: start, at most 75 tokens, end, padding
    weights: tuple[float, ...]  # 77: 1 for start, end and padding
    inserts: tuple[tuple[int, str, int], ...] = ()  # (place 0 .. 76, word, number of the vector) where an embedding's vectors go


@dataclass(frozen=True, slots=True)
class TokenCount:
    """The length of a prompt, in the words of the live counter."""

    tokens: int  # places used up to the last token; a chunk that was closed early counts as full
    limit: int  # 75, 150, ...: the places there are, without opening another chunk
    cuts: tuple[int, ...]  # index of the first character of each further chunk, in the prompt as written


@dataclass(frozen=True, slots=True)
class Placed:
    """A token in its chunk. `offset`: of its first character in the prompt as written."""

    id: int
    weight: float
    offset: int
    vector: tuple[str, int] | None = None  # word and number of the vector that stands here


@dataclass(slots=True)
class _Open:
    """A chunk that is being filled."""

    offset: int = 0  # where it begins, as long as it has no token
    tokens: list[Placed] = field(default_factory=list[Placed])
    comma: int | None = None  # how many tokens lie before its last comma

    @property
    def begins(self) -> int:
        return self.tokens[0].offset if self.tokens else self.offset


def chunk(tokenizer: Tokenizer, text: str, words: Words = NO_WORDS) -> tuple[Chunk, ...]:
    """The chunks of a plain prompt, at least one."""
    return tuple(_close(tokenizer, part.tokens) for part in _divide(tokenizer, text, words))


def count(tokenizer: Tokenizer, text: str, words: Words = NO_WORDS) -> TokenCount:
    """What a live counter shows while somebody types, and where the prompt is cut."""
    parts = _divide(tokenizer, text, words)
    whole = CHUNK * (len(parts) - 1)
    return TokenCount(whole + len(parts[-1].tokens), whole + CHUNK, tuple(part.begins for part in parts[1:]))


def divided(tokenizer: Tokenizer, text: str, words: Words = NO_WORDS) -> list[list[Placed]]:
    """The tokens of each chunk, without what begins, ends and fills it."""
    return [part.tokens for part in _divide(tokenizer, text, words)]


def _divide(tokenizer: Tokenizer, text: str, words: Words) -> list[_Open]:
    """Where BREAK ends the text there is no chunk after it; two in a row leave an empty one between them."""
    parts = [_Open()]
    for run in plain_runs(text, Names.of(words)):
        if run.is_break:
            parts.append(_Open(run.offsets[0]))
        elif words.get(run.name):
            _add_all(parts, _vectors(run, words[run.name]))
        else:
            for token, place in tokenizer.tokens(run.text):
                _add(parts, Placed(token, run.weight, run.offsets[place]), token == tokenizer.comma)
    return parts if parts[-1].tokens or len(parts) == 1 else parts[:-1]


def _vectors(run: Weighted, count: int) -> list[Placed]:
    return [Placed(PLACEHOLDER, run.weight, run.offsets[0], (run.name, number)) for number in range(count)]


def _add_all(parts: list[_Open], group: list[Placed]) -> None:
    """Vectors of one word stay together; only a word that is longer than a whole chunk runs on into the next."""
    if 1 < len(group) <= CHUNK and len(parts[-1].tokens) + len(group) > CHUNK:
        parts.append(_Open(group[0].offset))
    for token in group:
        _add(parts, token, is_comma=False)


def _add(parts: list[_Open], token: Placed, is_comma: bool) -> None:
    part = parts[-1]
    if len(part.tokens) == CHUNK:
        parts.append(_Open(token.offset, [] if is_comma else _give_back(part)))
        part = parts[-1]
    elif is_comma:
        part.comma = len(part.tokens)
    part.tokens.append(token)


def _give_back(full: _Open) -> list[Placed]:
    if full.comma is None or CHUNK - full.comma > COMMA_REACH:
        return []
    back = full.tokens[full.comma + 1 :]
    del full.tokens[full.comma + 1 :]
    return back


def _close(tokenizer: Tokenizer, tokens: list[Placed]) -> Chunk:
    empty = CHUNK - len(tokens)
    ids = (tokenizer.start, *(token.id for token in tokens), tokenizer.end, *[tokenizer.pad] * empty)
    inserts = tuple((place, *token.vector) for place, token in enumerate(tokens, 1) if token.vector)
    return Chunk(ids, (1.0, *(token.weight for token in tokens), *[1.0] * (empty + 1)), inserts)
