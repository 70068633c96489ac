"""Previews of control maps before a run: which preprocessors there are, and what a unit's model will see."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TypeVar

from PIL import Image

from models.errors import UserError
from pipelines.control.view import NO_LENDER, View, map_of
from pipelines.jobs.errands import answer, never
from pipelines.jobs.runner import Runner
from pipelines.jobs.worker import Worker
from pipelines.preprocessors import PREPROCESSORS, Preprocessor
from pipelines.preprocessors.annotators import Annotator, Annotators
from pipelines.requests.control_unit import ControlUse
from pipelines.requests.request import Depth, Drawing, Request
from pipelines.services.answers import PreprocessorInfo, ThresholdInfo
from pipelines.services.uploads import Taken, Uploads

LONGEST_WAIT = 120.0  # seconds that a preview waits for the worker
Answer = TypeVar("Answer")


class ControlPreviews:
    """Safe to call from any thread."""

    def __init__(self, uploads: Uploads, worker: Worker, annotators: Annotators) -> None:
        self._uploads = uploads
        self._worker = worker
        self._annotators = annotators

    def preprocessors(self) -> list[PreprocessorInfo]:
        """Name, info, thresholds, what the map shows, and what is missing: "" or a sentence that says which file to put where."""
        return [self._described(entry) for entry in PREPROCESSORS.values()]

    def missing(self, name: str) -> str:
        """Why a preprocessor cannot run; "" when it can."""
        entry = PREPROCESSORS.get(name)
        if entry is None:
            return f"There is no preprocessor called “{name[:80]}”. Choose one of the list."
        return self._annotators.missing(entry.weights) if entry.weights else ""

    def check(self, request: Request) -> None:
        """Raises `UserError` when a preprocessor that the request names cannot run."""
        if not isinstance(request, Drawing):
            return
        names = [use.preprocessor for use in request.controls if use.weight]
        if isinstance(request, Depth) and not request.map:
            names.append(request.estimator)
        for name in names:
            if why := self.missing(name):
                raise UserError(why)

    def preview(
        self, use: ControlUse, size: tuple[int, int], user: str, image: str = "", mask: str = "", gone: Callable[[], bool] = never
    ) -> Taken:
        """See `Studio.control_preview`."""
        if why := self.missing(use.preprocessor):
            raise UserError(why)
        view = self._view(use, size, user, image, mask)
        weights, inputs = PREPROCESSORS[use.preprocessor].weights, self._uploads.inputs
        shown = self.annotated(weights, lambda annotator: map_of(use, view, inputs, annotator), user, gone)
        return self._uploads.keep(shown, user)

    def annotated(self, key: str, work: Callable[[Annotator | None], Answer], user: str, gone: Callable[[], bool] = never) -> Answer:
        """Does the work with the annotator: in the worker's thread where it has weights, else at once in this one.

        There, one piece of work may wait for each person, and a newer one takes its place. `gone`: whether nobody waits for the answer
        any more. Raises `UserError` when it is not done.
        """
        if not key:
            with NO_LENDER.annotator("") as nothing:
                return work(nothing)

        def errand(runner: Runner) -> Answer:
            with runner.annotator(key) as annotator:
                return work(annotator)

        return answer(self._worker.between_jobs(user, errand), gone, LONGEST_WAIT)

    def _view(self, use: ControlUse, size: tuple[int, int], user: str, image: str, mask: str) -> View:
        for wanted in filter(None, (use.image or image, use.mask, mask)):
            if self._uploads.find(wanted, user) is None:
                raise UserError("This picture is not stored here any more. Put it in again.")
        if not use.image and not image:
            raise UserError("There is no picture yet. Drop one on the unit, paste one, or open one.")
        begun = self._uploads.inputs.open(image) if image and not use.image else None
        masked = self._uploads.inputs.open(mask, "L") if mask else None
        return View(size, (0, 0, *size), size, begun, _of_size(masked, begun))

    def _described(self, entry: Preprocessor) -> PreprocessorInfo:
        thresholds = [ThresholdInfo(**asdict(threshold)) for threshold in entry.thresholds]
        missing = self._annotators.missing(entry.weights) if entry.weights else ""
        return {"name": entry.name, "info": entry.info, "thresholds": thresholds, "union_kind": entry.union_kind, "missing": missing}


def _of_size(mask: Image.Image | None, picture: Image.Image | None) -> Image.Image | None:
    return mask.resize(picture.size) if mask and picture else mask
