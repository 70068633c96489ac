"""Regions that are written in a prompt, as A1111's extension Regional Prompter has them: columns and rows, each with its words.

    a street ADDCOMM a wide view ADDBASE a red house ADDCOL a blue tree ADDROW a pond

What stands before ADDCOMM belongs to all parts, what stands before ADDBASE is the prompt of the whole picture; ADDCOL begins the next
column and ADDROW the next row. Where neither of these two stands, BREAK does so if there are ratios: it is how most such prompts are
written, but without ratios nobody can know, and BREAK begins a new chunk as ever. Beside ADDCOL and ADDROW it does so within its region.

Ratios: "1,2" two columns, the second twice as wide; "1;2" two rows; "1,2,1;2,4,6" two rows of heights 1 and 2, the first number of
each, with columns of 2 to 1 and 4 to 6. What is missing repeats what stands before it.

Source: https://github.com/hako-mikan/sd-webui-regional-prompter, scripts/regions.py.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

from models.errors import UserError
from pipelines.prompts.tags import without_tags
from pipelines.prompts.weights import BREAK
from pipelines.requests.region import MOST_REGIONS, Region
from pipelines.wildcards.unsaid import unsaid

COMMON, BASE, COLUMN, ROW = "ADDCOMM", "ADDBASE", "ADDCOL", "ADDROW"
WORD = re.compile(rf"\b(?:{COMMON}|{BASE}|{COLUMN}|{ROW}|{BREAK})\b")
WORDS = frozenset(word.lower() for word in (COMMON, BASE, COLUMN, ROW))
NUMBER = re.compile(r"\s*(\d{1,6}(?:\.\d{0,6})?|\.\d{1,6})\s*")
DIGITS = 4  # of a side, as a share of the picture

Rows = list[list[str]]  # the words of each cell, row by row
Ratios = list[list[float]]  # of each row its height, then the widths of its columns


@dataclass(frozen=True, slots=True)
class RegionalText:
    """What a prompt with regions says."""

    prompt: str  # of the whole picture
    has_base: bool  # the prompt counts in the regions too
    regions: tuple[Region, ...]


def regional(text: str, ratios: str = "", rows_first: bool = True, base: bool = False, common: bool = False) -> RegionalText | None:
    """None for a prompt without regions.

    `rows_first`: rows are divided into columns; False: columns into rows, of which then the ratios tell. `base`, `common`: where only BREAK
    divides, its first ones stand for ADDCOMM and ADDBASE. Raises `UserError` for ratios that cannot be read or do not fit.
    """
    words = [(found, text[found.start() : found.end()].strip()) for found in WORD.finditer(text) if not _is_silent(text, found.start())]
    named = {word for _, word in words}
    if not named & {COLUMN, ROW} and not (ratios.strip() and named):
        return None
    by_break = not named & {COLUMN, ROW}
    marks = [word for _, word in words if by_break or word in (COMMON, BASE, COLUMN, ROW)]
    parts = _cut(text, [found for found, word in words if by_break or word in (COMMON, BASE, COLUMN, ROW)])
    shared, parts, marks = _taken(parts, marks, COMMON, common and by_break)
    whole, parts, marks = _taken(parts, marks, BASE, base and by_break)
    grid = _by_ratios(parts, ratios) if by_break else _by_words(parts, marks, rows_first)
    return _read(shared, whole, grid, _shares(grid, ratios), rows_first)


def regions_told(text: str, ratios: str = "") -> str:
    """A sentence on the regions of a prompt, or on a word that lays out none; "" for a prompt without. Raises `UserError`."""
    if found := regional(text, ratios):
        return f"The prompt lays out {len(found.regions)} regions." if len(found.regions) > 1 else "The prompt lays out one region."
    lone = next((found[0] for found in WORD.finditer(text) if found[0] != BREAK and not _is_silent(text, found.start())), "")
    return f"“{lone}” divides the picture beside {COLUMN} or {ROW}, or where “Ratios” are given. Here it is a word." if lone else ""


def _is_silent(text: str, place: int) -> bool:
    return any(each.start <= place < each.end for each in unsaid(text))


def _cut(text: str, found: Sequence[re.Match[str]]) -> list[str]:
    edges = [0, *(edge for each in found for edge in each.span()), len(text)]
    return [text[start:end].strip().strip(",").strip() for start, end in zip(edges[::2], edges[1::2], strict=True)]


def _taken(parts: list[str], marks: list[str], word: str, first: bool) -> tuple[str | None, list[str], list[str]]:
    """What stands before the word, and what is left. `first`: where it does not stand, the first mark stands for it."""
    place = marks.index(word) if word in marks else 0 if first and marks else -1
    if place < 0:
        return None, parts, marks
    return " ".join(parts[: place + 1]), parts[place + 1 :], [mark for mark in marks[place + 1 :] if mark != word]


def _by_words(parts: Sequence[str], marks: Sequence[str], rows_first: bool) -> Rows:
    grid: Rows = [[parts[0]]]
    for mark, part in zip(marks, parts[1:], strict=False):
        if mark == (ROW if rows_first else COLUMN):
            grid.append([part])
        else:
            grid[-1].append(part)
    return grid


def _by_ratios(parts: Sequence[str], ratios: str) -> Rows:
    """Cells in the order of the ratios."""
    lengths = [max(1, len(row) - 1) for row in _numbers(ratios)] if ";" in ratios else [len(_numbers(ratios)[0])]
    if sum(lengths) != len(parts):
        laid = f"The ratios {ratios.strip()[:40]} lay out {sum(lengths)} regions"
        raise UserError(f"{laid}, and the prompt has the words of {len(parts)}. Make them equal.")
    ends = list(accumulate(lengths))
    return [list(parts[end - length : end]) for end, length in zip(ends, lengths, strict=True)]


def _shares(grid: Rows, ratios: str) -> Ratios:
    """For each row its height, and the widths of its columns."""
    numbers = _numbers(ratios) if ratios.strip() else [[1.0]]
    if ";" not in ratios:  # all of them go along the one way in which the picture is divided
        if len(grid) == 1:
            numbers = [[1.0, *numbers[0]]]
        elif all(len(row) == 1 for row in grid):
            numbers = [[number] for number in numbers[0]]
    found: Ratios = []
    for place, row in enumerate(grid):
        height, *widths = numbers[min(place, len(numbers) - 1)]
        widths = widths or [1.0]
        found.append([height, *(widths[min(column, len(widths) - 1)] for column in range(len(row)))])
    return found


def _numbers(ratios: str) -> Ratios:
    found = [[NUMBER.fullmatch(number) for number in row.split(",")] for row in ratios.split(";")]
    numbers = [[float(number[1]) for number in row if number] for row in found]
    if any(len(row) != len(read) or not all(read) for row, read in zip(found, numbers, strict=True)):
        said = f"“{ratios.strip()[:40]}” are no ratios of regions"
        raise UserError(f"{said}. Write numbers above 0, as in 1,2,1 for columns and 1;2 for rows.")
    return numbers


def _read(shared: str | None, whole: str | None, grid: Rows, shares: Ratios, rows_first: bool) -> RegionalText:
    if sum(map(len, grid)) > MOST_REGIONS:
        raise UserError(f"The prompt has {sum(map(len, grid))} regions; {MOST_REGIONS} are the most. Take some out.")
    heard = without_tags(shared or "").strip()  # its tags act on the whole picture already
    regions: list[Region] = []
    tops = _edges([row[0] for row in shares])
    for (top, bottom), row, (_, *widths) in zip(tops, grid, shares, strict=True):
        for (left, right), words in zip(_edges(widths), row, strict=True):
            box = (left, top, right, bottom) if rows_first else (top, left, bottom, right)
            regions.append(Region(prompt=", ".join(filter(None, (heard, words))), **dict(zip(SIDES, box, strict=True))))
    return RegionalText(", ".join(filter(None, (shared, whole))), whole is not None, tuple(regions))


SIDES = ("left", "top", "right", "bottom")


def _edges(lengths: Sequence[float]) -> list[tuple[float, float]]:
    total = sum(lengths)
    ends = [round(end / total, DIGITS) for end in accumulate(lengths)]
    return list(zip([0.0, *ends], ends, strict=False))
