"""The finder of details: asks the detectors of a request, before a run, which boxes there are in its picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from models.errors import UserError
from pipelines.details.choosing import Found, chosen
from pipelines.details.detectors import Detector, Detectors
from pipelines.jobs.errands import answer, never
from pipelines.jobs.worker import Worker
from pipelines.requests.details import MOST_BOXES, DetailBox, Detailer, dealt
from pipelines.requests.request import Details
from pipelines.services.request_pictures import NO_PICTURE
from pipelines.services.uploads import GONE, Uploads

LONGEST_WAIT = 120.0  # seconds that it waits for the worker
NOTHING = "Nothing was found. Lower the confidence, choose another detector, or draw boxes by hand."


class NothingFound(UserError):
    """No detector sees anything that counts."""


@dataclass(frozen=True)
class FoundDetails:
    """`labels`: of each box, what it is where the detector knows, and how sure it is. `words`: a sentence about all of them."""

    boxes: tuple[DetailBox, ...]
    labels: tuple[str, ...]
    words: str


class DetailFinder:
    """Safe to call from any thread."""

    def __init__(self, uploads: Uploads, worker: Worker, detectors: Detectors) -> None:
        self._uploads = uploads
        self._worker = worker
        self._detectors = detectors

    def detectors(self) -> list[Detector]:
        return self._detectors.all()

    @property
    def place(self) -> str:
        """The folder that detectors are put into, as it is told to people."""
        return self._detectors.place

    def find(self, request: Details, user: str, gone: Callable[[], bool] = never) -> FoundDetails:
        """The boxes of all its detailers, in order. Waits for the job that runs where a network is asked.

        Raises `UserError` when a picture is missing, a detector cannot be used, or nothing is found.
        """
        if not request.image:
            raise UserError(NO_PICTURE)
        for picture_id in filter(None, (request.image, request.mask)):
            if self._uploads.find(picture_id, user) is None:
                raise UserError(GONE)
        if not any(self._detectors.one(each.detector).path for each in _asked(request)):
            return self.look(request)
        return answer(self._worker.between_jobs(user, lambda _: self.look(request)), gone, LONGEST_WAIT)

    def look(self, request: Details) -> FoundDetails:
        """The same in the thread that calls. Raises `NothingFound`, or another `UserError`."""
        picture = self._uploads.inputs.open(request.image)
        painted = self._uploads.inputs.open(request.mask, "L") if request.mask else None
        asked = _asked(request)
        return _told(asked, [self._found(each, picture, painted) for each in asked])

    def _found(self, detailer: Detailer, picture: Image.Image, painted: Image.Image | None) -> list[Found]:
        if painted is not None and painted.size != picture.size:
            raise UserError("What is painted belongs to a picture of another size. Paint it again.")
        return chosen(self._detectors.find(detailer, picture, painted), detailer, picture.size)


def _asked(request: Details) -> tuple[Detailer, ...]:
    return request.detailers or (Detailer(),)


def _told(asked: tuple[Detailer, ...], found: list[list[Found]]) -> FoundDetails:
    boxes = [box for detailer, own in zip(asked, found, strict=True) for box in _boxes(detailer, own)]
    if not boxes:
        raise NothingFound(NOTHING)
    labels = [f"{each.label} {each.confidence:.0%}".strip() for own in found for each in own]
    words = f"{len(boxes)} box{'es' * (len(boxes) > 1)} found."
    if len(boxes) > MOST_BOXES:
        words = f"{len(boxes):,} boxes were found, and {MOST_BOXES} are the most: the first of them were taken."
    return FoundDetails(tuple(boxes[:MOST_BOXES]), tuple(labels[:MOST_BOXES]), words)


def _boxes(detailer: Detailer, found: list[Found]) -> list[DetailBox]:
    prompts = dealt(detailer.prompt, len(found))
    return [
        DetailBox(left=left, top=top, right=right, bottom=bottom, prompt=prompt, strength=detailer.strength)
        for (left, top, right, bottom), prompt in zip([each.box for each in found], prompts, strict=True)
    ]
