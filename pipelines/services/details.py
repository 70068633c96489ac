"""Details for the page: all that made a picture, and where several differ. Which visitor may ask is decided by who calls."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from models.errors import UserError
from pipelines.job_book.book import JobBook, PictureRecord
from pipelines.jobs.outputs import inspect
from pipelines.metadata.picture_settings import Reading
from pipelines.requests.drawn_small import enlarger_of
from pipelines.requests.groups import Group
from pipelines.requests.request import Drawing, Request, TextToImage, Wordless
from pipelines.requests.wordless import plays
from pipelines.resolving.details import Groups, Value, details, picture_facts
from pipelines.resolving.differences import differences
from pipelines.resolving.model_names import ModelNames
from pipelines.resolving.model_search import CatalogView
from pipelines.services.answers import ComparedPicture, DetailGroup, DetailValue, Differing, PictureComparison, PictureDetails
from pipelines.services.time_line import TimeLine, lines_told, time_lines, voices

LEAST, MOST = 2, 4  # pictures that are compared
HOW_MANY = f"Choose {LEAST} to {MOST} pictures to compare."
HIDDEN = "Who made this picture keeps to themselves how."
KEPT = "By your link, pictures of others are shown without their settings."
NO_FILE = "The file of this picture cannot be read, so only its request is known: neither hashes, nor when and on what it was drawn."


@dataclass(frozen=True)
class _Told:
    record: PictureRecord
    reading: Reading
    groups: Groups
    note: str = ""


class Details:
    """Safe to call from any thread. Reads the heads of files and waits for a hash that is not known yet a moment at most."""

    most = MOST  # pictures that are compared

    def __init__(self, book: JobBook, catalog: CatalogView) -> None:
        self._book, self._catalog = book, catalog

    def of(self, record: PictureRecord, has: Callable[[str], bool] = bool) -> PictureDetails:
        """`has`: whether who asks has an input picture of this id; others are not named."""
        told, (frames, pace) = self._told(record), plays(record.request)
        groups: list[DetailGroup] = [
            {"title": group.title, "values": [_message(value, has) for value in told.groups[group]]} for group in told.groups
        ]
        return {
            "id": record.id,
            "kind": told.reading.request.kind,
            "drawn_by": told.reading.request.title,
            "prompt": told.reading.request.words,
            "width": record.width,
            "height": record.height,
            "frames": frames,
            "pace": pace,
            "note": told.note,
            "hidden": "",
            "reveals": False,
            "lines": lines_told(self._lines(told.reading.request)),
            "groups": groups,
        }

    def kept(self, record: PictureRecord, bare: bool) -> PictureDetails:
        """The same for who may see the picture and not know how it was made. `bare`: because of their link."""
        frames, pace = plays(record.request)
        return {
            "id": record.id,
            "kind": "",
            "drawn_by": "",
            "prompt": "",
            "width": record.width,
            "height": record.height,
            "frames": frames,
            "pace": pace,
            "note": KEPT if bare else HIDDEN,
            "hidden": "",
            "reveals": False,
            "lines": [],
            "groups": [],
        }

    def compared(self, records: Sequence[PictureRecord], kept: Collection[str] = ()) -> PictureComparison:
        """`kept`: ids of pictures whose settings are kept from who asks. Raises `UserError` for fewer than two or more than four."""
        if not LEAST <= len(records) <= MOST:
            raise UserError(HOW_MANY)
        told = [] if kept else [self._told(record) for record in records]
        rows: list[Differing] = [
            {"group": found.group, "title": found.title, "texts": list(found.texts)}
            for found in differences([each.groups for each in told])
        ]
        pictures: list[ComparedPicture] = [
            {
                "id": record.id,
                "width": record.width,
                "height": record.height,
                "prompt": "" if record.id in kept else record.request.words,
                "frames": plays(record.request)[0],
                "pace": plays(record.request)[1],
            }
            for record in records
        ]
        return {"pictures": pictures, "differences": rows}

    def groups(self, record: PictureRecord) -> Groups:
        """All that made it, for others to compare."""
        return self._told(record).groups

    def _told(self, record: PictureRecord) -> _Told:
        reading, note = self._read(record)
        names = ModelNames(self._catalog, reading.made_with, reading.ids)
        return _Told(record, reading, details(reading.request, reading.made_with, names, self._facts(record, reading, names)), note)

    def _lines(self, request: Request) -> Sequence[TimeLine]:
        """What was said and what acted at each step; of a drawing in two passes, in the first."""
        if not isinstance(request, Drawing):
            return ()
        alone = replace(request, hires=False) if isinstance(request, TextToImage) else request
        try:
            return time_lines(voices(alone, self._catalog))
        except UserError:  # a record from elsewhere may hold a prompt that cannot be drawn here
            return ()

    def _read(self, record: PictureRecord) -> tuple[Reading, str]:
        """What the file says, which knows more than the book; the book where it says nothing."""
        try:
            reading = inspect(record.path)
            return replace(reading, made_with={_clean(key): _clean(text) for key, text in reading.made_with.items()}), ""
        except UserError:
            return Reading(record.request), record.note or NO_FILE

    def _facts(self, record: PictureRecord, reading: Reading, names: ModelNames) -> Mapping[Group, Sequence[Value]]:
        request = reading.request
        drawn = (request.width, request.height) if isinstance(request, Drawing) else request.size if isinstance(request, Wordless) else None
        made = f"{datetime.fromtimestamp(record.created):%Y-%m-%d %H:%M:%S}"
        by = names.one("enlarged_by", enlarger).name if (enlarger := enlarger_of(request)) else ""
        return picture_facts(made, drawn, (record.width, record.height), self._place(record), request.title, by)

    def _place(self, record: PictureRecord) -> str:
        """Which of its job's pictures it is; "" where there is but one."""
        job = self._book.job(record.job_id)
        count = job.request.picture_count if job else 1
        ids = [picture.id for picture in self._book.pictures_of(record.job_id)] if count > 1 else []
        return f"{ids.index(record.id) + 1} of {count}" if record.id in ids else ""


def _clean(text: str) -> str:
    """Without what no answer can carry: a file may hold half a letter."""
    return text.encode("utf-8", "replace").decode()


def _message(value: Value, has: Callable[[str], bool]) -> DetailValue:
    return {
        "title": value.title,
        "text": value.text,
        "raw": value.raw,
        "fields": list(value.fields),
        "default": value.default,
        "info": value.info,
        "hash": value.digest,
        "note": value.note,
        "pictures": [picture for picture in value.pictures if has(picture)],
        "parts": [_message(part, has) for part in value.parts],
    }
