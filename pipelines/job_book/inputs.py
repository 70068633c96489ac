"""Input pictures in the job book: whose they are, and which it names, so that the others can go."""

from __future__ import annotations

import re

from pipelines.job_book.file import BookFile
from pipelines.requests.request import KINDS

# What this version writes says "image" where it names an input; of what it cannot read, every id may be one.
KNOWN_KINDS = ", ".join(f"'{kind}'" for kind in KINDS)
NAMES_INPUTS = f"""request like '%"image"%' or not json_valid(request)
  or coalesce(json_extract(request, '$.kind'), '') not in ({KNOWN_KINDS})"""


class BookInputs:
    """Safe to use from any thread. Everything here raises `BookError` when the book cannot be read or written."""

    def __init__(self, file: BookFile) -> None:
        self._file = file

    def give(self, picture_id: str, user: str) -> None:
        """This person has the input picture, so may name it in requests."""
        with self._file.transaction() as db:
            db.execute("insert or ignore into input values (?, ?)", (picture_id, user))

    def has(self, picture_id: str, user: str) -> bool:
        return bool(self._file.rows("select 1 from input where id = ? and user = ?", (picture_id, user)))

    def of(self, user: str) -> list[str]:
        """The ids of all that this person has."""
        return [row["id"] for row in self._file.rows("select id from input where user = ?", (user,))]

    def used(self) -> set[str]:
        """The ids of all that a job or a picture names, also of those that only a newer version can read."""
        asked = [f"select request from {table} where {NAMES_INPUTS}" for table in ("job", "picture", "grid")]
        asked.append("select stored from job where state <> 'done' and stored <> '{}'")  # of loopbacks that may go on
        rows = [row for query in asked for row in self._file.rows(query)]
        return {found for row in rows for found in re.findall(r'"([0-9a-f]{64})"', str(row[0]))}
