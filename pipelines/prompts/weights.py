"""The A1111 weight grammar: (word), [word], (word:1.2), escapes and BREAK. Two passes, no recursion.

    (x) weighs 1.1 times, [x] 1/1.1 times, (x:w) w times; nested weights multiply. \\( \\) \\[ \\] \\\\ are plain characters.
    An unclosed bracket reaches to the end of the text, an unmatched closing one is plain text, [x:w] is not a weight.

The patterns are shared with the page's keys (`grammar.tables`), so they are spelt in what Python and JavaScript both understand.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

STRONGER, WEAKER = 1.1, 1 / 1.1
HEAVIEST = 10.0  # weights are kept within -10 .. 10: beyond, there is no picture left
PRODUCT_LIMIT = 1e30  # for nested weights on the way to that: infinity times 0 has no value
STEP = "0.1"  # of the keys that weigh

SPACE = r"[ \t\n\r\f\v\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]"
TOKEN = rf"\\[()\[\]\\]?|[()\[\]]|:{SPACE}*([+-]?[.0-9]+){SPACE}*\)|[^\\()\[\]:]+|:"
BREAK = "BREAK"
PARTNER = {")": "(", "]": "["}
_TOKEN = re.compile(TOKEN)
_BREAK = re.compile(rf"\b{BREAK}\b")
_SPACES = re.compile(r"\s*")


@dataclass(frozen=True, slots=True)
class Weighted:
    """A run of text that has one weight, -10 .. 10; or the word BREAK, after which a new chunk begins."""

    text: str
    weight: float = 1.0
    offsets: tuple[int, ...] = field(default=(), compare=False, repr=False)  # where each character stands in the prompt
    is_break: bool = False  # its one offset is where the text goes on
    name: str = ""  # of the embedding that the run stands for


@dataclass(frozen=True, slots=True)
class Group:
    """A pair of brackets, "(" or "[", and all between them: text[start:end]."""

    bracket: str
    start: int
    end: int


@dataclass(slots=True)
class Piece:
    """A bracket that has a partner, or some text (kind "")."""

    kind: str  # "(", "[", ")", "]" or ""
    text: str
    start: int
    factor: float = 1.0


def weigh(text: str) -> tuple[list[Weighted], list[Group]]:
    """The text in runs, brackets and escapes taken out, and its pairs of brackets, inner ones first.

    A BREAK counts inside brackets as well, and takes the spaces around it along. Numbers that cannot be read, such as
    1.2.3, are plain text. Takes time linear in the text, however deep the brackets.
    """
    pieces, groups = _match(text)
    return list(_split_breaks(_weigh(pieces))), groups


def has_number(text: str) -> bool:
    """Whether a weight is written in it, as in (x:1.2)."""
    return any(match[1] for match in _TOKEN.finditer(text))


def breaks_in(text: str) -> Iterator[tuple[int, int]]:
    """Where the word BREAK stands."""
    return (found.span() for found in _BREAK.finditer(text))


def loose(text: str) -> Iterator[int]:
    """Where brackets stand that have no partner."""
    paired = {place for group in weigh(text)[1] for place in (group.start, group.end - 1)}
    brackets = (match.end() - 1 for match in _TOKEN.finditer(text) if match[0] in "()[]" or match[1] is not None)
    return (place for place in brackets if place not in paired)


def without_breaks(text: str) -> str:
    """The same words, none of them a BREAK."""
    return _BREAK.sub(BREAK.lower(), text)


def _match(text: str) -> tuple[list[Piece], list[Group]]:
    """Gives each opening bracket the factor its partner decides; closing brackets without one become text."""
    pieces: list[Piece] = []
    groups: list[Group] = []
    opened: dict[str, list[Piece]] = {"(": [], "[": []}
    for piece in _read(text):
        pieces.append(piece)
        if piece.kind in opened:
            opened[piece.kind].append(piece)
        elif piece.kind and opened[PARTNER[piece.kind]]:
            partner = opened[PARTNER[piece.kind]].pop()
            partner.factor = piece.factor
            groups.append(Group(partner.kind, partner.start, piece.start + len(piece.text)))
        else:
            piece.kind = ""
    return pieces, groups


def _read(text: str) -> Iterator[Piece]:
    for match in _TOKEN.finditer(text):
        token, start = match.group(), match.start()
        if token[0] == "\\":
            yield Piece("", token[1:], start + 1)
        elif token[0] in "()[]":
            yield Piece(token, token, start, STRONGER if token in "()" else WEAKER)
        elif match[1] is not None:
            yield from _read_weight(token, match[1], start)
        else:
            yield Piece("", token, start)


def _read_weight(token: str, digits: str, start: int) -> Iterator[Piece]:
    try:
        weight = float(digits)
    except ValueError:
        weight = math.inf
    if math.isfinite(weight):
        yield Piece(")", token, start, weight)
    else:
        yield Piece("", token[:-1], start)
        yield Piece(")", ")", start + len(token) - 1, STRONGER)


def _weigh(pieces: list[Piece]) -> Iterator[Weighted]:
    """The texts with the product of the brackets around them. Round and square ones may cross, as in `([a)]`."""
    products = {"(": [1.0], "[": [1.0]}
    for piece in pieces:
        if piece.kind in products:
            product = products[piece.kind][-1] * piece.factor
            products[piece.kind].append(max(-PRODUCT_LIMIT, min(PRODUCT_LIMIT, product)))
        elif piece.kind:
            products[PARTNER[piece.kind]].pop()
        else:
            weight = products["("][-1] * products["["][-1]
            yield _run(piece.text, max(-HEAVIEST, min(HEAVIEST, weight)), piece.start)


def _split_breaks(runs: Iterator[Weighted]) -> Iterator[Weighted]:
    for run in runs:
        if BREAK not in run.text:
            yield from [run] if run.text else []
            continue
        rest = 0
        for word in _BREAK.finditer(run.text):
            yield from cut(run, rest, rest + len(run.text[rest : word.start()].rstrip()))
            spaces = _SPACES.match(run.text, word.end())
            rest = spaces.end() if spaces else word.end()
            yield Weighted(BREAK, 1.0, (run.offsets[0] + rest,), is_break=True)
        yield from cut(run, rest, len(run.text))


def cut(run: Weighted, start: int, end: int, name: str = "") -> Iterator[Weighted]:
    """The part of a run, if there is any."""
    if start < end:
        yield Weighted(run.text[start:end], run.weight, run.offsets[start:end], name=name)


def _run(text: str, weight: float, start: int) -> Weighted:
    return Weighted(text, weight, tuple(range(start, start + len(text))))
