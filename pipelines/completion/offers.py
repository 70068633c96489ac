"""Offers: what is looked through for the beginning of a word, beside tags. Few enough to look at one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from pipelines.completion.tag_lists import folded

Kind = Literal["lora", "hypernet", "embedding", "wildcard", "trigger", "word", "phrase", "tag"]


@dataclass(frozen=True, slots=True)
class Offer:
    """Something that may be written. `said`: how it is shown and found; `written`: how it must stand in a prompt; `note`: beside it."""

    kind: Kind
    said: str
    written: str
    note: str = ""


def matching(offers: Iterable[Offer], typed: str, most: int) -> list[Offer]:
    """Those that begin so, then those in which a later word does; each in the order in which they came. "" finds all."""
    wanted = folded(typed)
    begins: list[Offer] = []
    within: list[Offer] = []
    for offer in offers:
        said = folded(offer.said)
        if said.startswith(wanted):
            begins.append(offer)
        elif any(f"{sign}{wanted}" in said for sign in " -/(.") and wanted:
            within.append(offer)
        if len(begins) == most:
            break
    return [*begins, *within][:most]


def distinct(offers: Iterable[Offer], typed: Sequence[str], most: int) -> Iterator[Offer]:
    """Each thing that is written once, and nothing that stands there already."""
    seen = {folded(each) for each in typed}
    for offer in offers:
        if folded(offer.written) not in seen and most:
            seen.add(folded(offer.written))
            most -= 1
            yield offer
