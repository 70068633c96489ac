"""Cards of models: a picture, and what lies beside a file about it, as A1111 and its helpers leave it there.

    ink.safetensors
    ink.preview.png, ink.png           a picture; also .jpg, .jpeg and .webp
    ink.json                           A1111: "activation text", "preferred weight"
    ink.civitai.info                   "trainedWords"

A picture that the owner chose here counts before those. It is kept with the studio, as folders of models are only read.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from models.errors import UserError
from models.files import ModelFile
from models.identify.trigger_words import clean_word
from models.json_values import is_number, listed, table, text
from models.library.catalog import Catalog
from models.names import without_ending
from pipelines.gallery.thumbs import small
from pipelines.images.decode import normalise
from pipelines.requests.added import STRONGEST

log = logging.getLogger(__name__)

FOLDER = "pictures"  # below that of the library
PICTURES = tuple(f"{middle}{ending}" for middle in (".preview", "") for ending in (".png", ".jpg", ".jpeg", ".webp"))
NOTES = (".json", ".civitai.info")
LARGEST_PICTURE, LARGEST_NOTE = 64_000_000, 2_000_000  # bytes
MOST_WORDS = 24  # of one model
FRESH = 30.0  # seconds for which a look beside a file holds
MOST_KEPT = 400  # small pictures in memory
NONE = "This model has no picture."


@dataclass(frozen=True, slots=True)
class Card:
    """What is known of a model beside what its file says. `picture`: another one when that is another, "" for none; `strength`: that its
    author or the owner prefers, or None.
    """

    picture: str = ""
    words: tuple[str, ...] = ()
    strength: float | None = None


class ModelCards:
    """Safe to call from any thread."""

    def __init__(self, catalog: Catalog, folder: Path) -> None:
        """`folder`: where the studio keeps what it knows of the library."""
        self._catalog, self._folder = catalog, folder / FOLDER
        self._lock = threading.Lock()
        self._known: dict[str, tuple[float, Card]] = {}
        self._small: OrderedDict[str, bytes] = OrderedDict()

    def card(self, entry: ModelFile) -> Card:
        """A look beside the file, or what the last one saw a moment ago."""
        now = time.monotonic()
        with self._lock:
            seen, card = self._known.get(entry.id, (-FRESH, Card()))
        if now - seen > FRESH:
            card = Card(self._mark(entry), *_noted(entry.path))
            with self._lock:
                self._known[entry.id] = now, card
        return card

    def words(self, entry: ModelFile) -> tuple[str, ...]:
        """What wakes it: what its file says, then what lies beside it."""
        return tuple(dict.fromkeys((*entry.words, *self.card(entry).words)))[:MOST_WORDS]

    def picture(self, model_id: str) -> bytes:
        """A small WebP. Raises `UserError` where there is none, or it cannot be read."""
        entry = self._catalog.model(model_id)
        mark = self._mark(entry)
        with self._lock:
            if mark in self._small:
                self._small.move_to_end(mark)
                return self._small[mark]
        if (path := self._place(entry)) is None:
            raise UserError(NONE)
        try:
            made = small(normalise(path.read_bytes()).image)
        except OSError as error:
            raise UserError(NONE) from error
        with self._lock:
            self._small[mark] = made
            while len(self._small) > MOST_KEPT:
                self._small.popitem(last=False)
        return made

    def set_picture(self, model_id: str, data: bytes) -> None:
        """`data`: a picture in any format that is taken; b"": that beside the file counts again. Raises `UserError`."""
        entry = self._catalog.model(model_id)
        path = self._own(entry)
        try:
            if data:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.with_suffix(".part").write_bytes(small(normalise(data).image))
                path.with_suffix(".part").replace(path)
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            log.error("the picture of a model cannot be written: %s", error)
            raise UserError("The picture could not be kept: the disk is full or cannot be written. Make room, then try again.") from error
        with self._lock:
            self._known.pop(entry.id, None)

    def _own(self, entry: ModelFile) -> Path:
        return self._folder / f"{entry.id}.webp"

    def _place(self, entry: ModelFile) -> Path | None:
        return next(_there((self._own(entry), *(_beside(entry.path, ending) for ending in PICTURES)), LARGEST_PICTURE), None)

    def _mark(self, entry: ModelFile) -> str:
        path = self._place(entry)
        try:
            status = path.stat() if path else None
        except OSError:
            return ""
        return hashlib.sha256(os.fsencode(f"{path} {status.st_mtime_ns} {status.st_size}")).hexdigest()[:12] if status else ""


def _beside(path: Path, ending: str) -> Path:
    return path.with_name(without_ending(path.name) + ending)


def _there(paths: tuple[Path, ...], largest: int) -> Iterator[Path]:
    for path in paths:
        with suppress(OSError):
            if path.is_file() and path.stat().st_size <= largest:
                yield path


def _noted(path: Path) -> tuple[tuple[str, ...], float | None]:
    """Words and the strength that is preferred. A note that cannot be read says nothing."""
    words: list[str] = []
    strength: float | None = None
    for note in _there(tuple(_beside(path, ending) for ending in NOTES), LARGEST_NOTE):
        try:
            values = table(json.loads(note.read_text("utf-8-sig", "replace")))
        except (OSError, ValueError, RecursionError):
            continue
        trained = [each for each in listed(values.get("trainedWords"))[:MOST_WORDS] if isinstance(each, str)]
        parts = (part for each in (text(values, "activation text"), *trained) for part in each[:2000].split(","))
        words += [word for part in parts if (word := clean_word(part))]
        preferred = values.get("preferred weight")
        strength = float(preferred) if strength is None and is_number(preferred) and 0 < abs(preferred) <= STRONGEST else strength
    return tuple(dict.fromkeys(words))[:MOST_WORDS], strength
