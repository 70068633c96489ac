"""Previews of depth maps before a run: an estimate, the map as it was edited, and the same as a picture to send elsewhere."""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from PIL import Image

from models.errors import UserError
from pipelines.depth.depth_map import Map, edited, fitted, relative, shown, to_map, to_picture
from pipelines.images.masking import Size
from pipelines.jobs.errands import never
from pipelines.preprocessors import PREPROCESSORS
from pipelines.requests.request import Depth
from pipelines.services.answers import EstimatorInfo
from pipelines.services.control_preview import ControlPreviews
from pipelines.services.uploads import GONE, Taken, Uploads

if TYPE_CHECKING:
    from pipelines.preprocessors.annotators import Annotator

ESTIMATES = "depth.depth_map"  # what the preprocessors that estimate depth are made by
FITTED = 4  # maps at the size that is drawn, kept for the next edit: to read a large one anew takes longer than to edit it
NO_MAP = "There is no depth map yet. Estimate one from a picture, upload one, or draw one."


class DepthPreviews:
    """Safe to call from any thread."""

    def __init__(self, uploads: Uploads, control: ControlPreviews) -> None:
        self._uploads = uploads
        self._control = control
        self._fitted = lru_cache(maxsize=FITTED)(self._fit)

    def estimators(self) -> list[EstimatorInfo]:
        """Name, info, and what is missing: "" or a sentence that says which file to put where."""
        entries = [entry for entry in PREPROCESSORS.values() if entry.made_by == ESTIMATES]
        return [{"name": entry.name, "info": entry.info, "missing": self._control.missing(entry.name)} for entry in entries]

    def estimate(self, picture_id: str, estimator: str, user: str, gone: Callable[[], bool] = never) -> Taken:
        """The depths of a picture, relative, as a map of this person. Waits for the job that runs. Raises `UserError`."""
        if all(entry["name"] != estimator for entry in self.estimators()):
            raise UserError(f"“{estimator[:80]}” does not estimate depth. Choose one of the list.")
        if why := self._control.missing(estimator):
            raise UserError(why)
        picture = self._open(picture_id, user)

        def work(annotator: Annotator | None) -> Map:
            from pipelines.preprocessors.depth import estimate_depth

            return relative(estimate_depth(cast("Annotator", annotator), picture))  # every estimator has weights

        return self._uploads.keep(to_picture(self._control.annotated(PREPROCESSORS[estimator].weights, work, user, gone)), user)

    def view(self, request: Depth, user: str) -> bytes:
        """The map as it was edited, at the size that is drawn: a grey PNG."""
        stream = io.BytesIO()
        shown(self._edited(request, user)).convert("L").save(stream, "PNG", compress_level=1)
        return stream.getvalue()

    def keep(self, request: Depth, user: str) -> Taken:
        """The same as a picture of this person, for a control unit elsewhere."""
        return self._uploads.keep(shown(self._edited(request, user)), user)

    def _edited(self, request: Depth, user: str) -> Map:
        if not request.map:
            raise UserError(NO_MAP)
        if self._uploads.find(request.map, user) is None:
            raise UserError(GONE)
        return edited(self._fitted(request.map, (request.width, request.height), request.resize_mode), request)

    def _fit(self, map_id: str, size: Size, resize_mode: str) -> Map:
        return fitted(to_map(self._uploads.inputs.open(map_id, "")), size, resize_mode)

    def _open(self, picture_id: str, user: str) -> Image.Image:
        if not picture_id or self._uploads.find(picture_id, user) is None:
            raise UserError(GONE)
        return self._uploads.inputs.open(picture_id)
