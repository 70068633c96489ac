"""Input pictures that the job book names, so that the others can go."""

from __future__ import annotations

import re

from pipelines.job_book.file import BookFile
from pipelines.requests.request import KINDS

# What this version writes says "image" where it names an input; of what it cannot read, every id may be one.
KNOWN_KINDS = ", ".join(f"'{kind}'" for kind in KINDS)
NAMES_INPUTS = f"""request like '%"image"%' or not json_valid(request)
  or coalesce(json_extract(request, '$.kind'), '') not in ({KNOWN_KINDS})"""


def inputs_used(file: BookFile) -> set[str]:
    """Ids. Also of what only a newer version can read."""
    rows = [row for table in ("job", "picture", "grid") for row in file.rows(f"select request from {table} where {NAMES_INPUTS}", ())]
    rows += file.rows("select stored from job where state <> 'done' and stored <> '{}'", ())  # of loopbacks that may go on
    return {found for row in rows for found in re.findall(r'"([0-9a-f]{64})"', str(row[0]))}
