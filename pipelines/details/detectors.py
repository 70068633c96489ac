"""Detectors: what can look for details. Two need no file; the others are ONNX files of `models/weights/detectors`.

A file is what its inputs and outputs say, whatever it is called. Nothing that is pickled is opened.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
from PIL import Image

from models.errors import UserError
from pipelines.details.choosing import Found
from pipelines.details.onnx_file import NotOnnx, OnnxFile, read_onnx
from pipelines.details.simple import of_colour, of_painted
from pipelines.details.yolo import is_yolo, yolo
from pipelines.details.yunet import is_yunet, yunet
from pipelines.requests.details import COLOUR, PAINTED, Detailer

log = logging.getLogger(__name__)

FOLDER = "detectors"
ENDINGS = (".onnx", ".pt", ".pth", ".safetensors")  # of what people put there; only the first can be used
MOST_FILES = 200
PICKLE = "is a PyTorch file, which can hold a program, so it is not opened. Export it to ONNX and put that here."
NO_ONNX = "is no ONNX file, or a damaged one. Download it again."
NO_DETECTOR = "is an ONNX file, but no detector that is known here: YOLO (one output of boxes) or YuNet."
NOT_RUN = "could not be run by OpenCV. Export it again, with a fixed size and without its own selection of boxes (NMS)."
NOTHING_PAINTED = "Nothing is painted yet. Paint over the details first, or choose another detector."


@dataclass(frozen=True)
class Detector:
    """`why`: a sentence when it cannot be used, else ""."""

    name: str
    info: str
    path: Path | None = None
    why: str = ""


BUILT_IN = (
    Detector(COLOUR, "Things of a colour"),
    Detector(PAINTED, "Each part that is painted on the picture"),
)


class Detectors:
    """What there is in the folders of models. Safe to ask from any thread; files are looked at anew each time."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """`folders`: of models, the studio's own first."""
        self._folders = tuple(Path(folder) / FOLDER for folder in folders)

    def all(self) -> list[Detector]:
        """Those without a file, then the files by name."""
        files = [_described(path) for path in self._files()]
        return [*BUILT_IN, *files]

    def one(self, name: str) -> Detector:
        """Raises `UserError` when it is not there or cannot be used."""
        found = next((each for each in self.all() if each.name == name), None)
        if found is None:
            what = f"There is no detector called “{name[:80]}” here."
            raise UserError(f"{what} Choose one of the list, or put its ONNX file into {self.place}.")
        if found.why:
            raise UserError(found.why)
        return found

    def find(self, detailer: Detailer, picture: Image.Image, painted: Image.Image | None) -> list[Found]:
        """All that its detector sees in the picture. `painted`: L, of the picture's size. Raises `UserError`."""
        detector = self.one(detailer.detector)
        if detector.name == COLOUR:
            return of_colour(picture, detailer.colour)
        if detector.path is None:
            if painted is None or not painted.getbbox():
                raise UserError(NOTHING_PAINTED)
            return of_painted(painted)
        return _run(detector, detector.path, picture)

    @property
    def place(self) -> str:
        """The studio's own folder, with its last names only."""
        return "/".join(self._folders[0].parts[-3:]) if self._folders else FOLDER

    def _files(self) -> Iterator[Path]:
        """One of each name, of the first folder that has it."""
        known: set[str] = set()
        for folder in self._folders:
            try:
                files = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and path.is_file())
            except OSError:
                continue
            for path in files[:MOST_FILES]:
                if path.name not in known:
                    known.add(path.name)
                    yield path


def _described(path: Path) -> Detector:
    try:
        if path.suffix.lower() != ".onnx":
            return Detector(path.name, "", path, f"“{path.name}” {PICKLE if path.suffix != '.safetensors' else NO_ONNX}")
        runs = _runs(read_onnx(path))
    except (NotOnnx, OSError):
        return Detector(path.name, "", path, f"“{path.name}” {NO_ONNX}")
    if runs is None:
        return Detector(path.name, "", path, f"“{path.name}” {NO_DETECTOR}")
    return Detector(path.name, "Faces" if runs is _faces else "What it was trained for", path)


def _run(detector: Detector, path: Path, picture: Image.Image) -> list[Found]:
    try:
        file = read_onnx(path)
        runs = _runs(file)
        assert runs
        return runs(path, file, picture)
    except (cv2.error, NotOnnx, OSError, StopIteration, ValueError, IndexError) as error:
        log.warning("the detector %s could not be run: %s", detector.name, error)
        raise UserError(f"“{detector.name}” {NOT_RUN}") from error


def _faces(path: Path, file: OnnxFile, picture: Image.Image) -> list[Found]:
    return yunet(path, picture)


def _runs(file: OnnxFile) -> Callable[[Path, OnnxFile, Image.Image], list[Found]] | None:
    if is_yunet(file):
        return _faces
    return yolo if is_yolo(file) else None
