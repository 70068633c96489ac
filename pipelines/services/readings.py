"""Readings: what a picture or a text says of how it was made, in terms of this library and of one person's input pictures.

There is one reader for all of it. `settings` fills a form at once; `of_file` and `of_text` make a reading that a person looks at first,
value by value, each with how it is known:

    read       it stood there and was understood
    guessed    it was derived, or is the nearest that there is here; a sentence says why
    unknown    nothing here stands for it

A reading is kept in memory for a while under an id that nobody can guess, for who asked for it; nothing of it is stored.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path

from models.errors import UserError
from models.library.catalog import Catalog
from pipelines.images.decode import KINDS
from pipelines.images.source_type import SAYS, source_in
from pipelines.metadata.companions import companions, others
from pipelines.metadata.picture_settings import Reading, inspect, of_pasted
from pipelines.metadata.provenance import ENLARGER, unlike
from pipelines.preprocessors.annotators import Annotators
from pipelines.requests.request import Details, Drawing, Request, limits
from pipelines.resolving.model_search import INSTEAD, PATIENCE
from pipelines.resolving.rebind import Rebound, rebind
from pipelines.services.answers import ReadingNews
from pipelines.services.reading_news import news_of
from pipelines.services.request_pictures import with_pictures, without_missing
from pipelines.services.uploads import Uploads

AT_ONCE = 2  # files that are read at the same time
OF_ONE, OF_ALL = 10, 200  # readings that are kept: of one person, of everybody
STAYS = "the form keeps its own"
GONE = "This reading is not kept any more. Drop the picture or paste the text again."
NO_DETAILERS = "These settings name no detailers."
# What of a drawing does not suit the drawing of its details: their size, how many, and what holds the whole picture.
OF_DETAILS = ("width", "height", "batch_count", "batch_size", "all_combinations", "controls", "refiner", "refiner_start")
LARGEST_TEXT = 4_000_000  # bytes
NO_FILE = "This file is neither a picture with settings nor a text."
FOUND_AS = {"checkpoint": "Model", "refiner": "Refiner", "vae": "vae", "hires_checkpoint": "Hires checkpoint", "enlarged_by": ENLARGER}


@dataclass(frozen=True)
class Kept:
    """A reading in terms of this library. `missing`: fields whose model is not here."""

    user: str
    reading: Reading
    found: Rebound
    missing: frozenset[str] = frozenset()


class Readings:
    """Safe to call from any thread."""

    def __init__(self, catalog: Catalog, uploads: Uploads, annotators: Annotators, runtime: Callable[[], Mapping[str, str]]) -> None:
        """`runtime`: on what is drawn here, by the names of `pipelines.metadata.provenance`; empty while that is not known."""
        self._catalog, self._uploads, self._annotators, self._runtime = catalog, uploads, annotators, runtime
        self._turn = threading.Semaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    def settings(self, source: Path | bytes, user: str) -> Rebound:
        """A picture's settings, with a sentence for each thing that is not here. Raises `UserError` when it carries none."""
        return self._bound(inspect(source), user)

    def of_file(self, data: bytes, user: str) -> ReadingNews:
        """Of a picture, or of a file that holds a text. Raises `UserError` when it says nothing."""
        with self._turn:
            return self._keep(_looked_into(data) if _is_picture(data) else of_pasted(_text(data)), user)

    def of_text(self, text: str, user: str) -> ReadingNews:
        """Of a text that somebody pastes: settings, or a prompt. Raises `UserError` when it says nothing."""
        with self._turn:
            return self._keep(of_pasted(text), user)

    def detailing(self, reading_id: str, user: str) -> tuple[Details, tuple[str, ...]]:
        """The request that fills the form of the details, and the fields that it keeps: the detailers that another studio has run, with the
        words, models and steps of the picture. Raises `UserError` where there are none, or the reading is not kept any more.
        """
        kept = self._one(reading_id, user)
        details, drawn = kept.reading.details, kept.found.request
        if not details or not isinstance(drawn, Drawing):
            raise UserError(NO_DETAILERS)
        taken = {*details, *(name for name in limits(Drawing) if name not in OF_DETAILS)} - kept.missing
        own = [item.name for item in fields(Details) if not item.metadata["derived"]]
        values = {name: details.get(name, getattr(drawn, name, None)) for name in own if name in taken}
        return replace(Details(), **values), tuple(name for name in own if name not in taken)

    def taken(self, reading_id: str, user: str, names: Collection[str] | None = None) -> tuple[Request, tuple[str, ...]]:
        """The request to fill a form with, and the fields that the form keeps as they are. `names`: the fields that are taken; None: all.

        What the form has and the text does not say is set back to its default when all is taken, but for a text of words alone and a
        model that is not here. Raises `UserError` when the reading is not kept any more.
        """
        kept = self._one(reading_id, user)
        request = kept.found.request
        own = [item.name for item in fields(request)]
        wanted = {*(kept.reading.told if kept.reading.words_alone and names is None else own if names is None else names)} - kept.missing
        return request, tuple(name for name in own if name not in wanted)

    def _one(self, reading_id: str, user: str) -> Kept:
        with self._lock:
            kept = self._kept.get(reading_id)
        if kept is None or kept.user != user:
            raise UserError(GONE)
        return kept

    def _keep(self, reading: Reading, user: str) -> ReadingNews:
        found = Rebound(reading.request, reading.notes) if reading.words_alone else self._bound(reading, user, STAYS)
        reading_id = secrets.token_urlsafe(16)
        missing = frozenset(name for name, place in FOUND_AS.items() if any(_is_gone(found, place)))
        with self._lock:
            self._kept[reading_id] = Kept(user, reading, found, missing)
            of_user = [known for known, kept in self._kept.items() if kept.user == user]
            for old in [*of_user[:-OF_ONE], *list(self._kept)[:-OF_ALL]]:
                self._kept.pop(old, None)
        return news_of(reading_id, reading, found)

    def _bound(self, reading: Reading, user: str, instead: str = INSTEAD["checkpoint"]) -> Rebound:
        found = rebind(reading.request, reading.made_with, self._catalog, reading.ids, instead)
        begun, unknown = with_pictures(self._uploads, found.request, reading.pictures, user)
        request, missing = without_missing(self._uploads, begun, user)
        unlike_here = self._unlike(found.request, reading.made_with)
        return Rebound(request, (*reading.notes, *found.notes, *unlike_here, *unknown, *missing), found.bindings)

    def _unlike(self, request: Request, made_with: Mapping[str, str]) -> list[str]:
        """What draws along and is another here than it was when the picture was made."""
        until = time.monotonic() + PATIENCE
        here = companions(request, self._catalog, self._annotators) if isinstance(request, Drawing) else []
        files = others(made_with, here, lambda file: self._catalog.file_hash(file, until - time.monotonic()))
        return [*files, *unlike(made_with, self._runtime())]


def _looked_into(data: bytes) -> Reading:
    """With what the picture is labelled as, also where it says nothing else. Raises `UserError` where it has no settings."""
    label = SAYS.get(source_in(data), "")
    try:
        reading = inspect(data)
    except UserError as error:
        raise UserError(f"{error} {label}".strip()) from error
    return replace(reading, notes=(*reading.notes, label)) if label else reading


def _is_gone(found: Rebound, place: str) -> list[bool]:
    return [binding.how == "missing" for binding in found.bindings if binding.place == place]


def _is_picture(data: bytes) -> bool:
    return any(beginning.match(data[:1024]) for beginning, _ in KINDS)


def _text(data: bytes) -> str:
    """Raises `UserError` for what is no text."""
    try:
        text = data[:LARGEST_TEXT].decode("utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except UnicodeError:
        raise UserError(NO_FILE) from None
    if len(data) > LARGEST_TEXT or "\0" in text:
        raise UserError(NO_FILE)
    return text
