"""The A1111 weight grammar: (word), [word], (word:1.2), escapes and BREAK. Two passes, no recursion.

    (x) weighs 1.1 times, [x] 1/1.1 times, (x:w) w times; nested weights multiply. \\( \\) \\[ \\] \\\\ are plain characters.
    An unclosed bracket reaches to the end of the text, an unmatched closing one is plain text, [x:w] is not a weight.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

STRONGER, WEAKER = 1.1, 1 / 1.1
HEAVIEST = 10.0  # weights are kept within -10 .. 10: beyond, there is no picture left
PRODUCT_LIMIT = 1e30  # for nested weights on the way to that: infinity times 0 has no value

TOKEN = re.compile(r"\\[()\[\]\\]?|[()\[\]]|:\s*(?P<weight>[+-]?[.\d]+)\s*\)|[^\\()\[\]:]+|:")
BREAK_WORD = re.compile(r"\bBREAK\b")
SPACES = re.compile(r"\s*")
PARTNER = {")": "(", "]": "["}


@dataclass(frozen=True, slots=True)
class Weighted:
    """A run of text that has one weight, -10 .. 10; or the word BREAK, after which a new chunk begins."""

    text: str
    weight: float = 1.0
    offsets: tuple[int, ...] = field(default=(), compare=False, repr=False)  # where each character stands in the prompt
    is_break: bool = False  # its one offset is where the text goes on


@dataclass(slots=True)
class _Piece:
    """A bracket that has a partner, or some text (kind "")."""

    kind: str  # "(", "[", ")", "]" or ""
    text: str
    start: int
    factor: float = 1.0


def parse_weights(text: str) -> tuple[Weighted, ...]:
    """The prompt as runs of equal weight, brackets and escapes taken out; at least one run, perhaps empty.

    A BREAK counts inside brackets as well, and takes the spaces around it along. Numbers that cannot be read, such as
    1.2.3, are plain text. Takes time linear in the text, however deep the brackets.
    """
    runs: list[list[Weighted]] = []
    for run in _split_breaks(_weigh(_match(text))):
        if runs and not run.is_break and not runs[-1][-1].is_break and runs[-1][-1].weight == run.weight:
            runs[-1].append(run)
        else:
            runs.append([run])
    return tuple(map(_join, runs)) or (Weighted(""),)


def _match(text: str) -> list[_Piece]:
    """Gives each opening bracket the factor its partner decides; closing brackets without one become text."""
    pieces: list[_Piece] = []
    opened: dict[str, list[_Piece]] = {"(": [], "[": []}
    for piece in _read(text):
        pieces.append(piece)
        if piece.kind in opened:
            opened[piece.kind].append(piece)
        elif piece.kind and opened[PARTNER[piece.kind]]:
            opened[PARTNER[piece.kind]].pop().factor = piece.factor
        else:
            piece.kind = ""
    return pieces


def _read(text: str) -> Iterator[_Piece]:
    for match in TOKEN.finditer(text):
        token, start = match.group(), match.start()
        if token[0] == "\\":
            yield _Piece("", token[1:], start + 1)
        elif token[0] in "()[]":
            yield _Piece(token, token, start, STRONGER if token in "()" else WEAKER)
        elif match["weight"] is not None:
            yield from _read_weight(token, match["weight"], start)
        else:
            yield _Piece("", token, start)


def _read_weight(token: str, digits: str, start: int) -> Iterator[_Piece]:
    try:
        weight = float(digits)
    except ValueError:
        weight = math.inf
    if math.isfinite(weight):
        yield _Piece(")", token, start, weight)
    else:
        yield _Piece("", token[:-1], start)
        yield _Piece(")", ")", start + len(token) - 1, STRONGER)


def _weigh(pieces: list[_Piece]) -> Iterator[Weighted]:
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
        if "BREAK" not in run.text:
            yield from [run] if run.text else []
            continue
        rest = 0
        for word in BREAK_WORD.finditer(run.text):
            yield from _cut(run, rest, rest + len(run.text[rest : word.start()].rstrip()))
            spaces = SPACES.match(run.text, word.end())
            rest = spaces.end() if spaces else word.end()
            yield Weighted("BREAK", 1.0, (run.offsets[0] + rest,), is_break=True)
        yield from _cut(run, rest, len(run.text))


def _cut(run: Weighted, start: int, end: int) -> Iterator[Weighted]:
    if start < end:
        yield Weighted(run.text[start:end], run.weight, run.offsets[start:end])


def _run(text: str, weight: float, start: int) -> Weighted:
    return Weighted(text, weight, tuple(range(start, start + len(text))))


def _join(runs: list[Weighted]) -> Weighted:
    if len(runs) == 1:
        return runs[0]
    return Weighted("".join(run.text for run in runs), runs[0].weight, tuple(chain.from_iterable(run.offsets for run in runs)))
