"""Clips as they are given out as MP4."""

from __future__ import annotations

from pathlib import PurePath

from models.errors import UserError
from pipelines.gallery.formats import nameless
from pipelines.gallery.leaving import Sign
from pipelines.images.clip_file import frames_in
from pipelines.images.mp4 import PARAMETERS, RECORD, as_mp4
from pipelines.images.source_type import source_in
from pipelines.job_book.rows import PictureRecord
from pipelines.metadata.picture_texts import ATELIER, USER_COMMENT, texts_in
from pipelines.requests.wordless import plays

MP4, MIME = "mp4", "video/mp4"
STILL = "This picture does not move, so it is no film."


def film_of(record: PictureRecord, settings: bool, sign: Sign | None = None) -> tuple[str, bytes]:
    """The name of the file, and all of it. `settings`: with the record in it; the label is there in any case.

    Raises `UserError` for what does not move, and where the package is missing.
    """
    pace = plays(record.request)[1]
    if not pace:
        raise UserError(STILL)
    data = record.path.read_bytes()
    texts = texts_in(data) if settings else {}
    told = {RECORD: texts.get(ATELIER, ""), PARAMETERS: texts.get(USER_COMMENT, "")}
    made = as_mp4(frames_in(data, pace), pace, {name: text for name, text in told.items() if text}, source_in(data))
    name = record.path.name if settings else nameless(record.path.name)
    return f"{PurePath(name).stem}.{MP4}", sign(made, MIME) if sign else made
