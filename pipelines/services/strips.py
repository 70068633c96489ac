"""Strips: the steps of a finished picture, as a page shows them: how noisy it was, what was said and what acted, and how it looked.

Previews are made of the kept numbers alone, without a model. Where nothing is kept, the rest of the strip is told by the picture's record.
"""

from __future__ import annotations

import io
import logging
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from models.errors import UserError
from models.families import FAMILIES, SD1
from models.library.catalog import Catalog
from pipelines.job_book.queue import BookQueue
from pipelines.job_book.rows import PictureRecord
from pipelines.prompts.asked import asked_by
from pipelines.prompts.grammar import parse
from pipelines.requests.branch import branch_of
from pipelines.requests.request import Drawing
from pipelines.requests.steps import steps_of
from pipelines.services.answers import PictureSteps, StepActs, StepLine
from pipelines.services.time_lanes import Lane, lanes_of
from pipelines.steps.store import KeptSteps, StepFile

if TYPE_CHECKING:
    from models.loading.preview_decoder import PreviewDecoder

log = logging.getLogger(__name__)

LONGEST_SAID = 300  # characters of a prompt
MOST_LINES = 3_000
FRAME, LAST_FRAME = 90, 1_500  # milliseconds
NO_STEPS = "This picture was not drawn step by step, so there is nothing to go back to."
NOT_KEPT = "The steps of this picture are not kept any more: their room was needed. A branch draws them once more."
NO_SUCH = "This step of the picture is not kept."


class Strips:
    """Safe to call from any thread."""

    def __init__(self, kept: KeptSteps, catalog: Catalog, queue: BookQueue) -> None:
        self._kept, self._catalog, self._queue = kept, catalog, queue

    def of(self, record: PictureRecord, tells: bool = True) -> PictureSteps:
        """`tells`: who asks may know how it was made; to others no words and models are told.

        Raises `UserError` for a picture that has none.
        """
        request = record.request
        if record.note or not isinstance(request, Drawing) or not (run := steps_of(request).run):
            raise UserError(record.note or NO_STEPS)
        file, note = self._file(record)
        use, whole = branch_of(request), self._queue.expected(replace(request, branch=()))
        lines = list(self._kept_lines(file, request)) if file else list(self._planned_lines(request, run))
        return {
            "kept": file is not None,
            "bytes": file.path.stat().st_size if file else 0,
            "note": note,
            "seconds": None if whole is None else whole / request.steps,
            "steps": lines[:MOST_LINES] if tells else [{**line, "said": "", "acts": []} for line in lines[:MOST_LINES]],
            "branch_leg": use.leg if use else 0,
            "branch_step": use.step if use else 0,
            "branch_of": use.of.words[:LONGEST_SAID] if use and use.of and tells else "",
        }

    def preview(self, record: PictureRecord, leg: int, step: int) -> bytes:
        """A JPEG of what was predicted after this step, from 1. Raises `UserError` where it is not kept."""
        from pipelines.denoising.preview import preview_of  # with torch, as all below

        return preview_of(self._decoder(record), self._x0(record, leg, step))()

    def film(self, record: PictureRecord) -> bytes:
        """All steps as an animated WebP that runs in a loop. Raises `UserError` where they are not kept."""
        from PIL import Image

        file, note = self._file(record)
        if file is None:
            raise UserError(note)
        frames = [Image.open(io.BytesIO(self.preview(record, leg, index + 1))) for leg, index in sorted(file.places)]
        same = [frame.resize(frames[-1].size) for frame in frames]
        stream = io.BytesIO()
        lasting = [FRAME] * (len(same) - 1) + [LAST_FRAME]
        same[0].save(stream, "webp", save_all=True, append_images=same[1:], duration=lasting, loop=0, quality=82, method=2)
        return stream.getvalue()

    def _file(self, record: PictureRecord) -> tuple[StepFile | None, str]:
        """What is kept, or a sentence."""
        file = self._kept.of_picture(record.path)
        try:
            return (file, "") if file and file.places else (None, NOT_KEPT)
        except UserError as error:
            return None, str(error)

    def _x0(self, record: PictureRecord, leg: int, step: int):  # noqa: ANN202  torch is not imported here
        import torch

        file, note = self._file(record)
        if file is None:
            raise UserError(note)
        if (leg, step - 1) not in file.places:
            raise UserError(NO_SUCH)
        return torch.as_tensor(file.state(leg, step - 1).x0)

    def _decoder(self, record: PictureRecord) -> PreviewDecoder:
        """That of the picture's own checkpoint, or of the first family where that is not here any more."""
        from models.loading.preview_decoder import LinearPreview, load_preview_decoder

        assert isinstance(record.request, Drawing)
        try:
            checkpoint = self._catalog.checkpoint(record.request.checkpoint)
        except UserError:
            return LinearPreview(SD1)
        return load_preview_decoder((checkpoint.rest or checkpoint.folder) / "preview", FAMILIES[checkpoint.family_key])

    # ------------------------------------------------------------------------------------------ what is told of each step

    def _kept_lines(self, file: StepFile, request: Drawing) -> Iterator[StepLine]:
        told = _Told(request, self._catalog)
        for leg, index in sorted(file.places):
            place = file.places[leg, index]
            yield told.line(leg, index, place.count, place.sigma)

    def _planned_lines(self, request: Drawing, run: int) -> Iterator[StepLine]:
        """Of one run: how many there were is known once they are drawn again."""
        told = _Told(request, self._catalog)
        yield from (told.line(0, index, run, None) for index in range(run))


class _Told:
    """What a picture's request says of its steps."""

    def __init__(self, request: Drawing, catalog: Catalog) -> None:
        self._request, self._catalog = request, catalog
        self._said, self._lanes = asked_by(request).prompt, lanes_of(request, parse(request.prompt), catalog, constant=True)
        use = branch_of(request)
        self._branch = use if use and use.of else None
        self._trunk = _Told(use.of, catalog) if use and use.of else None

    def line(self, leg: int, index: int, count: int, sigma: float | None) -> StepLine:
        """Up to where a branch begins, what is told is told of the picture that it branches from."""
        if self._trunk and self._branch and (leg, index) < (self._branch.leg, self._branch.step):
            return self._trunk.line(leg, index, count, sigma)
        acts = [StepActs(sort=lane.sort, name=lane.name, strength=_strength(lane, index)) for lane in self._lanes]
        said = " AND ".join(" ".join(each.text.split()) for each in self._said.at(index))[:LONGEST_SAID]
        acting = [each for each in acts if each["strength"]]
        return {"leg": leg, "step": index + 1, "count": count, "sigma": sigma, "said": said, "acts": acting}


def _strength(lane: Lane, index: int) -> float:
    with suppress(IndexError):
        return lane.strengths[index]
    return lane.strengths[-1] if lane.strengths else 0.0
