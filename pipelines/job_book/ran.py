"""Jobs that ran when a kill came, and which of them a picture is of that was saved by then and not entered."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.job_book.found import Found
from pipelines.job_book.rows import request_of
from pipelines.job_book.salvage import Row
from pipelines.requests.remaining import Progress, read_progress
from pipelines.requests.request import SEEDS, Drawing, ImageToImage, Request, describe, unroll

OWN = ("seed", "batch_size", "batch_count")  # what a picture says of itself, and its job of all


@dataclass
class _Asking:
    row: Row
    request: Request
    next: int  # the index of the picture that it would draw next


class RunningJobs:
    """Several, where there are several devices: two people may ask for the same with the same seeds, and each gets one picture of it."""

    def __init__(self, rows: Iterable[Row]) -> None:
        self._jobs = [_asking(row) for row in rows]

    def row_of(self, picture: Found) -> Row | None:
        """The picture's row as its job would have entered it; None where nobody asks for it. Pictures come in the order of their making.

        Of jobs that ask for such a picture it is of the one that is most like it, and of those alike of whose next one it is.
        """
        found = [(rank, asking) for asking in self._jobs if (rank := _rank(asking, picture)) is not None]
        if not found:
            return None
        _, best = max(found, key=lambda entry: entry[0])  # the first of equals
        best.next += 1
        return {"id": new_id(), "job": best.row["id"], "user": best.row["user"]}


def next_of(request: Request, progress: Progress) -> int:
    """The index within the job of the picture that comes next."""
    return max(progress.pictures, progress.batch * request.pictures_a_batch)


def new_id() -> str:
    return secrets.token_urlsafe(16)


def _asking(row: Row) -> _Asking:
    request, _ = request_of(row["request"])
    return _Asking(row, request, next_of(request, read_progress(row.get("batch"), row.get("pictures"), row.get("stored"))))


def _rank(asking: _Asking, picture: Found) -> tuple[int, bool, bool] | None:
    """How well it fits: settings that are alike, whether it is the next one, whether one after it. None where it is not asked for."""
    if (index := _index(asking.request, picture)) is None:
        return None
    values = picture.values
    alike = sum(values.get(name) == value for name, value in describe(asking.request).items() if name not in OWN)
    return alike, index == asking.next, index >= asking.next


def _index(asked: Request, picture: Found) -> int | None:
    """Which of a job's pictures it may be: by its seed, as those of a job count up from its own."""
    if not isinstance(asked, Drawing):
        return next((index for index, single in enumerate(unroll(asked)) if describe(single) == picture.values), None)
    prompts = picture.values.get("prompt"), picture.values.get("prompt_template")
    if asked.kind != picture.values.get("kind") or asked.prompt not in prompts:
        return None
    most = asked.picture_count + (asked.loops if isinstance(asked, ImageToImage) else 1)
    index = (picture.seed - asked.seed) % SEEDS if asked.seed >= 0 else 0
    return index if index < most else None
