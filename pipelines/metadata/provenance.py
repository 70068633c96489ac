"""Provenance: what a picture was made with, by name and hash. Hashing a large file takes seconds, so it runs beside the drawing."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from functools import cached_property

from models.memory.manager import Key
from pipelines.metadata.lists import listed

log = logging.getLogger(__name__)

Hash = Callable[[], str]  # SHA-256 in hexadecimal digits once it is known, "" when it cannot be; waits if it must
# What only we read. It stands in the JSON, not in the text.
ATTENTION = "Attention"  # by which kernels it was worked out, where a card has several
COMPILED = "Compiled"  # whether blocks of the network ran compiled, where a card compiles them
RUNTIME = ("Device", "Number type", ATTENTION, COMPILED, "torch", "diffusers", "transformers", "spandrel", "Pillow", "Atelier")
PARTS, REFINER_PARTS, WEIGHTS, VISION = "Part hashes", "Refiner part hashes", "Preprocessor hashes", "Vision hashes"
UPSCALERS = "Postprocess upscaler", "Postprocess upscaler 2"  # as A1111 calls them
ENLARGER = "Enlarged by"  # an upscaler, when it was drawn; ours alone, with its hash beside it
TIME, LOADING, PLACE = "Drawing time", "Loading time", "Place in the batch"
SETTINGS_FROM = "Settings from"  # the content of the picture whose settings it was begun with, as input pictures are named
OURS_ALONE = frozenset({*RUNTIME, PARTS, REFINER_PARTS, WEIGHTS, VISION, TIME, LOADING, PLACE, SETTINGS_FROM})
CHECKPOINT, ADDED = 10, 12  # digits of a hash in a picture's metadata, as other studios write them


class Hashes:
    """The hashes of model files, each computed once, one after another, in a thread of their own."""

    def __init__(self, compute: Callable[[Key], str], mark: Callable[[Key], object]) -> None:
        """`mark`: what changes when the file does; a hash is kept for as long as it stays the same."""
        self._compute = compute
        self._mark = mark
        self._one_at_a_time = threading.Lock()
        self._known: dict[Key, tuple[object, Future[str]]] = {}

    def begin(self, key: Key) -> Hash:
        """Starts to compute, unless it is known. The hash is of the file as it is now; "" if it has changed before it was read."""
        mark = self._mark(key)
        known = self._known.get(key)
        if known is None or known[0] != mark:
            known = self._known[key] = (mark, Future())
            threading.Thread(target=self._work, args=(key, *known), name="hashing", daemon=True).start()
        return known[1].result

    def _work(self, key: Key, mark: object, future: Future[str]) -> None:
        try:
            with self._one_at_a_time:
                digest = self._compute(key)
            future.set_result(digest if self._mark(key) == mark else "")
        except Exception:
            log.warning("the hash of a model could not be computed", exc_info=True)
            future.set_result("")


class MadeWith(Mapping[str, str]):
    """The facts, worked out when somebody first looks: that is when the first picture is done."""

    def __init__(self, facts: Callable[[], dict[str, str]]) -> None:
        self._make = facts

    @cached_property
    def _facts(self) -> dict[str, str]:
        return self._make()

    def __getitem__(self, name: str) -> str:
        return self._facts[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facts)

    def __len__(self) -> int:
        return len(self._facts)


def unlike(made_with: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """A sentence when a picture was computed on something else, in other numbers or with another version than it would be here."""
    lasting = [name for name in RUNTIME if name != COMPILED]  # which is another from job to job
    differing = [name for name in lasting if here.get(name) and made_with.get(name) not in (None, here[name])]
    if not differing:
        return []
    then, now = (", ".join(f"{name} {facts[name]}" for name in differing) for facts in (made_with, here))
    return [f"This picture was computed with other means ({then}; here {now}), so single levels of its colours may differ."]


def one(title: str, name: str, digest: str) -> dict[str, str]:
    """{"Model": name, "Model hash": its first ten digits}; no hash where it is not known."""
    return {title: name} | ({f"{title} hash": digest[:CHECKPOINT]} if digest else {})


def several(title: str, uses: Mapping[str, str] | Sequence[tuple[str, str]], digits: int = ADDED) -> dict[str, str]:
    """{"Lora hashes": "ink: 0123456789ab, snow: ba9876543210"} of names and hashes, one for each file; nothing where there are none."""
    pairs = uses.items() if isinstance(uses, Mapping) else uses
    found = [(name, digest[:digits]) for name, digest in pairs]
    return {title: listed(found)} if found else {}


def plain(name: str) -> str:
    """A name as lists held it before they could hold every name: without what separates their entries."""
    return name.replace(":", " ").replace(",", " ").strip()
