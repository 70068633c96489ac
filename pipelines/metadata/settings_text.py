"""The settings text taken apart: prompt, negative prompt, and the `Key: value` pairs of the line of settings, wherever that stands.

    a red house                                                   the prompt, any number of lines
    Negative prompt: blurry                                       may be missing
    Steps: 20, Sampler: Euler a, ..., Hires prompt: "by\\nnight"    the line of settings; a quoted value may hold commas, colons and lines
    Template: a {red|blue} house                                  other programs' lines behind it

The last line that begins with "Steps:" and holds three pairs is the one; A1111 takes the last line of all, but its extensions put lines
behind it, and other studios write their pairs in another order. Few lines are tried and few pieces of each, however long the text.
"""

from __future__ import annotations

import json
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import islice, pairwise

LONGEST = 1_000_000  # characters of a text that is read
LONGEST_KEY = 80
MOST_PAIRS = 200
MOST_PIECES = 2_000  # of a line, between commas and colons
FEWEST_PAIRS = 3  # in a line of settings; with fewer it is a line of the prompt
MOST_LINES = 20  # that are tried: those that begin like settings, and the last ones
NEGATIVE = "Negative prompt:"
OURS = "Version: Atelier"

STEPS = re.compile(r"^[ \t]*Steps *:", re.MULTILINE)
FLAT = re.compile(r"[ \t]Steps: ?[0-9]+,")
KEY = re.compile(r"\w[\w \-/]*$")
PIECE = re.compile(r"[,:\n]")
QUOTED = re.compile(r'[ \t]*("[^"\\]*(?:\\.[^"\\]*)*")[ \t]*(?=,|\n|$)', re.DOTALL)
PLAIN = re.compile(r"[^,\n]*")
NEGATIVE_LINE = re.compile(rf"^[ \t]*{NEGATIVE}", re.MULTILINE)
TEMPLATE = re.compile(r"\s*(?:Negative )?Template *:")
KNOWN = re.compile(r"(?:Steps|Sampler|Seed|CFG scale|Guidance Scale|Size|Model|Model hash) *:", re.IGNORECASE)
WRAPPED = re.compile(rf",(?:[ \t]*\n(?=[ \t]*(?!Steps)(?:{KNOWN.pattern})))?", re.IGNORECASE)
BEHIND = re.compile(rf"^[ \t]*(\w[\w \-/]{{0,{LONGEST_KEY}}}):", re.MULTILINE)


@dataclass(frozen=True)
class Parts:
    prompt: str
    negative_prompt: str
    pairs: dict[str, str] = field(default_factory=dict[str, str])  # of a doubled key the last value; none: a text without settings
    behind: str = ""  # what stands behind the settings and is none


def take_apart(text: str) -> Parts:
    """What stands where. Any text can be read."""
    text = text[:LONGEST].replace("\r\n", "\n").replace("\r", "\n").strip()
    line = _settings(text)
    if line is None:
        return Parts(*_prompts(text))
    pairs, behind = _lines_behind(dict(line.pairs), text[line.end :].strip())
    prompt, negative = _prompts(_before(text, line.start))
    return Parts(prompt, negative or pairs.pop(NEGATIVE[:-1], ""), pairs, behind)


@dataclass(frozen=True)
class _Line:
    start: int
    end: int
    pairs: list[tuple[str, str]]


def _settings(text: str) -> _Line | None:
    last = _line(text, text.rfind("\n") + 1)
    if last and STEPS.match(text, last.start) and OURS in text[last.start :]:
        return last
    lines = list(_lines(text, [found.start() for found in deque(STEPS.finditer(text), MOST_LINES)]))
    templated = [line for line in lines if TEMPLATE.match(text, line.end)]  # what is behind them may say the prompt again
    return next(iter(templated[:1] or lines[-1:]), None) or _in_one_line(text) or _other_order(text) or last


def _lines(text: str, starts: list[int]) -> Iterator[_Line]:
    """The lines of settings that begin there, but for those within a value of an earlier one."""
    end = 0
    for start in starts:
        line = _line(text, start) if start >= end else None
        if line:
            end = line.end
            yield line


def _in_one_line(text: str) -> _Line | None:
    """The settings of a text whose line breaks were lost, as chats do."""
    found = next(iter(deque(FLAT.finditer(text), 1)), None)
    is_flat = found and not KNOWN.match(text, text.rfind("\n", 0, found.start()) + 1)
    return _line(text, found.start() + 1) if found and is_flat else None


def _before(text: str, start: int) -> str:
    """The prompts. Where they share a line with the settings, the negative one too begins where it is named."""
    begins_line = not start or text[start - 1] == "\n"
    return text[:start].removesuffix("\n") if begins_line else re.sub(rf"[ \t]{NEGATIVE}", f"\n{NEGATIVE}", text[:start], count=1)


def _other_order(text: str) -> _Line | None:
    """The last line with pairs of which two are well known."""
    end = len(text)
    for _ in range(MOST_LINES):
        start = text.rfind("\n", 0, end) + 1
        if len(KNOWN.findall(text[start : min(end, start + 10_000)])) >= 2 and (line := _line(text, start)):
            return line
        if not start:
            break
        end = start - 1
    return None


def _line(text: str, start: int, fewest: int = FEWEST_PAIRS) -> _Line | None:
    """The settings that begin there, if they are: a value in quotes may go on over the end of the line."""
    pairs: list[tuple[str, str]] = []
    place = start
    for _ in range(MOST_PIECES):
        key, colon = _key(text, place)
        value = (QUOTED.match(text, colon + 1) or PLAIN.match(text, colon + 1)) if key else PLAIN.match(text, colon)
        place = value.end() if value else len(text)
        if key and value:
            pairs.append((key, _unquoted(value[0].strip())))
        if text[place : place + 1] != "," or len(pairs) == MOST_PAIRS:
            break
        place = WRAPPED.match(text, place).end()  # pyright: ignore[reportOptionalMemberAccess]
    end = text.find("\n", place)
    return _Line(start, len(text) if end < 0 else end, pairs) if len(pairs) >= fewest else None


def _key(text: str, place: int) -> tuple[str, int]:
    """The first key of the piece that begins there and where its colon stands; else "" and how far the piece was looked at."""
    for found in islice(PIECE.finditer(text, place), MOST_PIECES // 10):
        if found[0] != ":":
            return "", found.start()
        if key := KEY.search(text[max(place, found.start() - LONGEST_KEY) : found.start()]):
            return " ".join(key[0].split()), found.start()
        place = found.end()
    return "", place


def _prompts(text: str) -> tuple[str, str]:
    """From the first line that begins with "Negative prompt:" on it is the negative prompt; each line without outer spaces."""
    found = NEGATIVE_LINE.search(text)
    prompt, negative = (text[: found.start()].removesuffix("\n"), text[found.start() :]) if found else (text, "")
    lines = [line.removeprefix(NEGATIVE).strip() for line in map(str.strip, negative.split("\n"))]
    return _joined(map(str.strip, prompt.split("\n"))), _joined(iter(lines))


def _joined(lines: Iterator[str]) -> str:
    """Without the empty lines that stand first."""
    return "\n".join(lines).lstrip("\n")


def _lines_behind(pairs: dict[str, str], text: str) -> tuple[dict[str, str], str]:
    """The pairs with those of the lines behind, which do not take the place of any, and the words that are no pairs."""
    starts = [found.start() for found in islice(BEHIND.finditer(text), MOST_LINES)]
    for start, end in pairwise([*starts, len(text)]):
        more = _line(text, start, fewest=1) if KNOWN.match(text, start) else None
        key, _, value = text[start:end].strip().partition(":")
        pairs = (dict(more.pairs) if more else {key.strip(): _unquoted(value.strip())}) | pairs
    return pairs, (text[: starts[0]] if starts else text).strip()


def _unquoted(value: str) -> str:
    if len(value) < 2 or not value.startswith('"') or not value.endswith('"'):
        return value
    try:
        return str(json.loads(value, strict=False))
    except ValueError:
        return value
