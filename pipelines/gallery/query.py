"""The query language of the gallery: the one grammar of what people type and what chips on the page build.

    red house              both words, in the prompt or in the name of a model, LoRA, sampler or board, or in the note
    "red house"            next to each other, in this order             snow*     words that begin so             -snow     without it
    prompt: negative: note:                          words in that text alone
    model:dream  lora:ink  sampler:euler  board:"night pieces"      names that contain it; model:=dream the one that is called so
    size:512x512  width:>=768  height:..512  rating:3..5  seed:123  numbers: one, from, to, between
    date:2026-11-28  date:2026-11  date:yesterday  date:2026-11-01..2026-11-20  date:>=2026
    kind:inpaint  is:favourite  with:control  without:control  like:PICTURE  job:JOB  in:bin

Everything that is named holds for the pictures that are found; a minus takes out. What is not understood is told, and the rest counts.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from pipelines.gallery.dates import Span, span_of
from pipelines.requests.request import KINDS

LONGEST = 2_000  # letters
MOST = 50  # terms
QUOTES = str.maketrans("“”„‟＂", '"""""')
FIELD = r"(?P<minus>-)?(?:(?P<field>[^\W\d_]{2,20}):(?P<exact>=?))?"
TERM = re.compile(FIELD + r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"?(?P<star>\*)?|(?P<bare>[^\s"]*))', re.DOTALL)
NUMBER = re.compile(r"(>=|<=|>|<|)(\d{1,19})|(\d{0,19})\.\.(\d{0,19})", re.ASCII)
SIZE = re.compile(r"(\d{1,6})[x×*](\d{1,6})", re.ASCII | re.IGNORECASE)
TEXTS = ("prompt", "negative", "note")
NAMES = ("model", "lora", "sampler", "board")
NUMBERS = ("width", "height", "rating", "seed")
HAVING = ("control", "lora", "note")  # what stands behind "with:" and "without:"
IDS = re.compile(r"[\w-]{1,64}", re.ASCII)
Bounds = tuple[int | None, int | None]  # both included


@dataclass(frozen=True, slots=True)
class Term:
    """A term of a query. What `value` is depends on the field:

    "" and `TEXTS`     a word or a phrase; `prefix`: the beginning of its last word
    `NAMES`            a name or a part of one; `exact`: the whole
    "size"             two `Bounds`, of width and height; `NUMBERS`: one
    "date"             `Span`: seconds since 1970, from and before
    "kind", "is", "with", "like", "job", "in"      a word
    """

    field: str
    value: str | Bounds | tuple[Bounds, Bounds] | Span
    said: str  # the value, as it was typed
    negated: bool = False
    prefix: bool = False
    exact: bool = False

    @property
    def text(self) -> str:
        """The term as it is typed; reading it gives the term again."""
        minus, star, equals = "-" * self.negated, "*" * self.prefix, "=" * self.exact
        name = f"{self.field}:{equals}" if self.field else ""
        return f"{minus}{name}{_quoted(self.said, star)}"


@dataclass(frozen=True, slots=True)
class Query:
    """`notes`: a sentence for each part that was not understood."""

    terms: tuple[Term, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        return " ".join(term.text for term in self.terms)

    @property
    def bin(self) -> bool:
        """Whether it asks for what was thrown away."""
        return any(term.field == "in" and not term.negated for term in self.terms)


@dataclass(frozen=True, slots=True)
class Clock:
    """The time where the person is. `offset`: minutes east of Greenwich."""

    now: float  # seconds since 1970
    offset: int = 0

    @property
    def today(self) -> datetime:
        """Midnight of today there, said as if there were Greenwich."""
        return datetime.fromtimestamp(self.now + 60 * self.offset, UTC).replace(hour=0, minute=0, second=0, microsecond=0)


class Misunderstood(Exception):
    """A term that cannot be used. Its text is a sentence for people."""


def parse(text: str, clock: Clock) -> Query:
    """Never raises for what the text holds."""
    if len(text) > LONGEST:
        return Query(notes=(f"A search has at most {LONGEST:,} letters, and this one has {len(text):,}. Nothing of it was used.",))
    terms: list[Term] = []
    notes: list[str] = []
    for found in TERM.finditer(_cleaned(text)):
        if not (found["field"] or found["quoted"] or found["bare"]):
            continue
        try:
            terms.append(_term(found, clock))
        except Misunderstood as error:
            notes.append(str(error))
    if len(terms) > MOST:
        notes.append(f"A search has at most {MOST} parts, and this one has {len(terms)}. The first {MOST} were used.")
    return Query(tuple(terms[:MOST]), tuple(dict.fromkeys(notes)))


def has_letters(text: str) -> bool:
    """Whether there is anything in it that the index holds: letters and digits of any script."""
    return any(unicodedata.category(letter)[0] in "LN" for letter in text)


def _cleaned(text: str) -> str:
    return unicodedata.normalize("NFC", text.replace("\0", " ").encode("utf-8", "ignore").decode().translate(QUOTES))


def _term(found: re.Match[str], clock: Clock) -> Term:
    quoted = found["quoted"]
    said = re.sub(r"\\(.)", r"\1", quoted, flags=re.DOTALL) if quoted is not None else found["bare"]
    name, bare = (found["field"] or "").lower(), quoted is None
    prefix = bool(found["star"]) or (bare and said.endswith("*") and len(said) > 1)
    said = said.removesuffix("*") if bare and prefix else said
    term = Term(name, said, said, bool(found["minus"]), prefix, bool(found["exact"]))
    if name and not said.strip():
        raise Misunderstood(f"There is nothing behind “{name}:”.")
    if not name or name in TEXTS:
        return _worded(replace(term, exact=False))
    if name == "without":
        term = replace(term, field="with", negated=not term.negated)
    if term.field not in READERS:
        raise Misunderstood(f'There is no filter “{name}”. To look for the words, put them into quotation marks: "{name}:{said[:40]}".')
    return READERS[term.field](term, clock)


def _worded(term: Term) -> Term:
    if not has_letters(term.said):
        raise Misunderstood(f"“{term.said[:40]}” holds neither letters nor digits, so there is nothing to look for.")
    return term


def _named(term: Term, clock: Clock) -> Term:
    return replace(term, prefix=False)


def _numbered(term: Term, clock: Clock) -> Term:
    return replace(_plain(term), value=_bounds(term.said, term.field))


def _sized(term: Term, clock: Clock) -> Term:
    found = SIZE.fullmatch(term.said)
    if not found:
        raise Misunderstood(f"“{term.said[:40]}” is no size. Say width and height, as in size:512x512, or width:>=768.")
    (width, height) = (int(side) for side in found.groups())
    return replace(_plain(term), value=((width, width), (height, height)))


def _dated(term: Term, clock: Clock) -> Term:
    span = span_of(term.said, clock.today, 60 * clock.offset)
    if span is None:
        raise Misunderstood(f"“{term.said[:40]}” is no date. Say date:2026-11-28, date:2026-11, date:yesterday, or two with “..” between.")
    return replace(_plain(term), value=span)


def _kind(term: Term, clock: Clock) -> Term:
    return _one_of(term, {name: name for name in KINDS}, f"There are {', '.join(KINDS)}.")


def _flag(term: Term, clock: Clock) -> Term:
    return _one_of(term, {"favourite": "favourite", "favorite": "favourite"}, "There is is:favourite.")


def _having(term: Term, clock: Clock) -> Term:
    return _one_of(term, {name: name for name in HAVING}, f"There are {', '.join(HAVING)}.")


def _where(term: Term, clock: Clock) -> Term:
    return _one_of(term, {"bin": "bin"}, "There is in:bin.")


def _id(term: Term, clock: Clock) -> Term:
    if not IDS.fullmatch(term.said):
        raise Misunderstood(f"“{term.said[:40]}” is no {'picture' if term.field == 'like' else term.field} of this studio.")
    return _plain(term)


READERS: Mapping[str, Callable[[Term, Clock], Term]] = {
    **dict.fromkeys(NAMES, _named),
    **dict.fromkeys(NUMBERS, _numbered),
    "size": _sized,
    "date": _dated,
    "kind": _kind,
    "is": _flag,
    "with": _having,
    "in": _where,
    "like": _id,
    "job": _id,
}


def _one_of(term: Term, known: Mapping[str, str], there_are: str) -> Term:
    found = known.get(term.said.lower())
    if found is None:
        raise Misunderstood(f"“{term.field}:{term.said[:40]}” is not known. {there_are}")
    return replace(_plain(term), value=found, said=found)


def _plain(term: Term) -> Term:
    return replace(term, prefix=False, exact=False)


def _bounds(said: str, name: str) -> Bounds:
    found = NUMBER.fullmatch(said)
    if not found or said == "..":
        raise Misunderstood(f"“{said[:40]}” is no number. Say {name}:4, {name}:>=4, or {name}:2..4.")
    sign, number, low, high = found.groups()
    if number is None:
        return _held(low), _held(high)
    count = int(number)
    low, high = {"": (0, 0), ">=": (0, None), "<=": (None, 0), ">": (1, None), "<": (None, -1)}[sign]
    return None if low is None else count + low, None if high is None else count + high


def _held(digits: str) -> int | None:
    return int(digits) if digits else None


def _quoted(said: str, star: str) -> str:
    """In quotation marks where it would not be read as one value without."""
    safe = re.fullmatch(r'[^\s"*\\-][^\s"*\\]*', said) and (":" not in said)
    return f"{said}{star}" if safe else '"' + re.sub(r'(["\\])', r"\\\1", said) + f'"{star}'
