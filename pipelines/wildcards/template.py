"""The grammar of templates, as A1111's sd-dynamic-prompts has it. A template is read once, in time linear in its length.

    {red|blue}  {0.5::red|2::blue}  {2$$red|blue|green}  {1-3$$ and $$red|blue|green}  {2$$__colours__}
    __colours__  __animals/*__  ${a=red}  ${a={red|blue}}  ${a=!{red|blue}}  ${a}  ${a:grey}  # to the end of a line: a comment

A backslash takes the meaning of what follows it, and stays: in a prompt it says nothing else, so words that were drawn draw themselves.
Braces around plain words alone are words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from pipelines.wildcards.unsaid import COMMENT, OFF

DEEPEST = 100  # brackets within brackets, and wildcards within wildcards
MOST_MARKS = 10_000  # braces, bars and wildcards of one text

VARIABLE = r"\$\{\s*(?P<variable>[A-Za-z_][\w-]{0,99})\s*(?P<mark>=\s*!?|:|(?=\}))\s*"
NAME = r"(?=[^\s_])[^\n{}()<>\[\]|,:$#\\\"]{1,200}?(?<=[^\s_])"
TOKEN = re.compile(rf"\\.|{OFF}|{COMMENT}|__(?P<name>{NAME})__|{VARIABLE}|[{{}}|]", re.DOTALL | re.ASCII)
SPECIAL = re.compile(r"\{|__|\$\{")  # without one of these a text holds nothing to draw
BOUNDS = re.compile(r"\s*(?:(?P<from>\d{1,4})-(?P<to>\d{1,4})|-(?P<most>\d{1,4})|(?P<least>\d{1,4})-|(?P<exact>\d{1,4}))\$\$"
                    r"(?:(?P<separator>[^${}]{0,200})\$\$)?", re.ASCII)  # fmt: skip
WEIGHT = re.compile(r"\s*(\d{1,9}(?:\.\d{0,9})?|\.\d{1,9})::", re.ASCII)
METHOD = re.compile(r"\s*([!~@])")
PARAMETERS = re.compile(r"__[^\s_()][^\n()]{0,200}\([^\n()]{0,200}\)__")
MANY = 9_999  # more options than anybody is asked for
QUOTED = 40  # characters of a template in a sentence


@dataclass(frozen=True, slots=True)
class Option:
    parts: Parts
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Choice:
    """From `least` to `most` of the options, none twice, with the separator between them."""

    options: tuple[Option, ...]
    least: int = 1
    most: int = 1
    separator: str = ","


@dataclass(frozen=True, slots=True)
class Wildcard:
    """One of the lines of a file, or of several."""

    name: str


@dataclass(frozen=True, slots=True)
class Assign:
    """A variable for what stands beside it and within. `at_once`: it is drawn once; else anew wherever it is used."""

    name: str
    value: Parts
    at_once: bool


@dataclass(frozen=True, slots=True)
class Use:
    name: str
    default: Parts | None = None


Span = tuple[int, int]
Part = str | Choice | Wildcard | Assign | Use
Parts = tuple[Part, ...]


def named(parts: Parts) -> Iterator[tuple[str, int]]:
    """The names of wildcards in it, and how many brackets stand around each."""
    for part in parts:
        if isinstance(part, Wildcard):
            yield part.name, 0
        elif not isinstance(part, str):
            for inner in _inside(part):
                yield from ((name, depth + 1) for name, depth in named(inner))


def _inside(part: Choice | Assign | Use) -> Sequence[Parts]:
    if isinstance(part, Choice):
        return [option.parts for option in part.options]
    if isinstance(part, Assign):
        return [part.value]
    return [part.default] if part.default else []


@dataclass(frozen=True, slots=True)
class Template:
    """A text that was read. With a problem it cannot be drawn."""

    text: str
    parts: Parts
    choices: int = 0  # choices and wildcards in it
    problem: str = ""  # a sentence
    places: tuple[Span, ...] = field(default=(), compare=False)  # of choices, wildcards and variables; inner ones before the outer
    loose: tuple[Span, ...] = field(default=(), compare=False)  # of a brace that had to be closed

    @property
    def is_plain(self) -> bool:
        """It draws itself."""
        return not self.problem and self.parts == (self.text,)


@dataclass(slots=True)
class _Open:
    """A bracket that is not closed yet, or the text itself (kind "")."""

    kind: str
    start: int
    found: list[Part] = field(default_factory=list[Part])  # of the option that is being read
    options: list[Option] = field(default_factory=list[Option])
    weight: float | None = None
    bounds: re.Match[str] | None = None
    separated: bool = False  # a bar stands in it
    name: str = ""
    mark: str = ""

    @property
    def chooses(self) -> bool:
        """Something in it is more than words."""
        return self.separated or self.bounds is not None or self.weight is not None or any(not isinstance(part, str) for part in self.found)

    def say(self, text: str) -> None:
        if text:
            self.found.append(text)

    def end_option(self) -> None:
        self.options.append(Option(joined(self.found), 1.0 if self.weight is None else self.weight))
        self.found, self.weight = [], None


def parse(text: str) -> Template:
    """Any text can be read."""
    if not SPECIAL.search(text):
        return Template(text, (text,))
    if found := PARAMETERS.search(text):
        said = "hands variables to a wildcard, which is not read here. Write them before it, as in ${name=words}"
        return Template(text, (text,), problem=f"“{short(found[0])}” {said}.")
    return _Reader(text).read()


class _Reader:
    def __init__(self, text: str) -> None:
        self._text = text
        self._stack = [_Open("", 0)]
        self._choices = 0
        self._problem = ""
        self._places: list[Span] = []
        self._loose: tuple[Span, ...] = ()

    def read(self) -> Template:
        place = marks = 0
        while not self._problem and (token := TOKEN.search(self._text, place)):
            self._stack[-1].say(self._text[place : token.start()])
            place, marks = self._take(token), marks + 1
            if marks > MOST_MARKS:
                self._problem = f"It has more than {MOST_MARKS:,} braces, bars and wildcards, the most that are read. Take some out."
        self._stack[-1].say(self._text[place:])
        while len(self._stack) > 1 and not self._problem:
            self._give_up(self._stack.pop())
        if self._problem:
            return Template(self._text, (self._text,), self._choices, self._problem, tuple(self._places), self._loose)
        parts = joined(self._stack[0].found)
        is_plain = all(isinstance(part, str) for part in parts)
        return Template(self._text, (self._text,) if is_plain else parts, self._choices, places=tuple(self._places))

    def _take(self, token: re.Match[str]) -> int:
        """Takes a token in, and says where the text goes on."""
        text, top = token[0], self._stack[-1]
        if token["name"]:
            top.found.append(Wildcard(token["name"]))
            self._choices += 1
            self._places.append(token.span())
        elif token["variable"]:
            self._open(_Open("$", token.start(), name=token["variable"], mark=token["mark"].replace(" ", "")))
        elif text == "{":
            return self._open_choice(token)
        elif text == "}" and top.kind:
            self._close(self._stack.pop(), token.end())
        elif text == "|" and top.kind == "{":
            top.separated = True
            top.end_option()
            return self._weigh(token.end())
        elif text[0] != "#":
            top.say(text)
        return token.end()

    def _open(self, opened: _Open) -> None:
        self._stack.append(opened)
        if len(self._stack) > DEEPEST:
            self._problem = f"Brackets stand more than {DEEPEST} deep in one another. Take some out, or write \\{{ for a brace."

    def _open_choice(self, token: re.Match[str]) -> int:
        self._open(_Open("{", token.start(), bounds=BOUNDS.match(self._text, token.end())))
        bounds = self._stack[-1].bounds
        return self._weigh(bounds.end() if bounds else token.end())

    def _weigh(self, place: int) -> int:
        found = WEIGHT.match(self._text, place)
        self._stack[-1].weight = float(found[1]) if found else None
        return found.end() if found else place

    def _close(self, closed: _Open, end: int) -> None:
        outer = self._stack[-1]
        if closed.kind == "$" or closed.chooses:
            self._places.append((closed.start, end))
        if closed.kind == "$":
            outer.found.append(_variable(closed))
        elif not closed.chooses:
            outer.found += ["{", *closed.found, "}"]
        elif method := METHOD.match(self._text, closed.start + 1):
            said = f"“{method[1]}” behind a brace is a way of choosing that is not read here. Take it out"
            self._problem = f"“{self._quote(closed)}”: {said}."
        else:
            closed.end_option()
            self._choices += 1
            outer.found.append(_choice(closed))

    def _give_up(self, opened: _Open) -> None:
        """A bracket that nothing closes. If something was to be chosen in it, that is a mistake; else it is a word."""
        if opened.kind == "$" or opened.separated or opened.bounds:
            self._loose = ((opened.start, opened.start + 1),)
            self._problem = f"“{self._quote(opened)}” is not closed: a }} is missing. Write \\{{ if the brace is a word."
            return
        written = self._text[opened.start : opened.start + 1]
        weight = "" if opened.weight is None else self._text[opened.start + 1 : self._text.index("::", opened.start) + 2]
        self._stack[-1].found += [written + weight, *opened.found]

    def _quote(self, opened: _Open) -> str:
        return short(self._text[opened.start : opened.start + 4 * QUOTED])


def _variable(closed: _Open) -> Assign | Use:
    value = _trimmed(joined(closed.found))
    if closed.mark.startswith("="):
        return Assign(closed.name, value, closed.mark.endswith("!"))
    return Use(closed.name, value if closed.mark else None)


def _choice(closed: _Open) -> Choice:
    options = tuple(Option(_trimmed(option.parts), option.weight) for option in closed.options)
    if not closed.bounds:
        return Choice(options)
    given = closed.bounds
    low = int(given["from"] or given["least"] or given["exact"] or 1)
    high = int(given["to"] or given["most"] or given["exact"] or MANY)
    separator = "," if given["separator"] is None else given["separator"]
    return Choice(options, min(low, high), max(low, high), separator)


def _trimmed(parts: Parts) -> Parts:
    """Without the spaces before it, which the known extension leaves out; those behind it stay."""
    if parts and isinstance(parts[0], str):
        parts = (parts[0].lstrip(), *parts[1:])
    return parts if parts and parts[0] else parts[1:]


def joined(parts: list[Part]) -> Parts:
    """With neighbouring words as one."""
    return tuple(_joined(parts))


def _joined(parts: list[Part]) -> Iterator[Part]:
    words: list[str] = []
    for part in parts:
        if isinstance(part, str):
            words.append(part)
            continue
        if words:
            yield "".join(words)
            words = []
        yield part
    if words:
        yield "".join(words)


def short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= QUOTED else f"{text[:QUOTED]}…"
