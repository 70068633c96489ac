"""Lists inside a picture's settings: names, and what belongs to each. One grammar, written and read here and nowhere else.

    ink: 0123456789ab, snow: ba9876543210
    Module: Canny, Model: soft%2C warm, Weight: 1

Other studios split at commas and then at colons, so no name may hold one. What would be taken for the grammar is written as in an
address, % and two hexadecimal digits; ordinary names stand as they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

WRITTEN = re.compile(r'[,:"\\\x00-\x1f\x7f-\x9f]|%(?=[0-9A-Fa-f]{2})|^ | $')
READ = re.compile(r"%([0-9A-Fa-f]{2})")
MOST = 200  # entries that are read

Pairs = Sequence[tuple[str, str]]


def listed(pairs: Mapping[str, str] | Pairs) -> str:
    """The list as text; `unlisted` gives the same pairs back, in Unicode NFC and without lone surrogates. Equal names are kept apart."""
    entries = pairs.items() if isinstance(pairs, Mapping) else pairs
    return ", ".join(f"{_written(name)}: {_written(value)}".rstrip(" ") for name, value in entries)


def unlisted(text: str) -> list[tuple[str, str]]:
    """Names and what belongs to each, in order. Of other studios' lists too: a piece without a colon belongs to the next name."""
    found: list[tuple[str, str]] = []
    open_name = ""
    for piece in text.split(",", 4 * MOST)[: 4 * MOST]:
        name, colon, value = f"{open_name}{piece}".rpartition(":")
        open_name = "" if colon else f"{value},"
        if colon:
            found.append((_read(name), _read(value)))
    return found[:MOST]


def canonical(name: str) -> str:
    """As names are written and compared here: Unicode NFC, whatever a file system made of it."""
    return unicodedata.normalize("NFC", name.encode("utf-8", "ignore").decode())


def _written(text: str) -> str:
    return WRITTEN.sub(lambda found: f"%{ord(found[0]):02X}", canonical(text))


def _read(text: str) -> str:
    return canonical(READ.sub(lambda found: chr(int(found[1], 16)), text.strip(" ")))
