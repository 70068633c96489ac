"""YuNet, a small network for faces (Wu et al. 2023), as OpenCV runs it: twelve outputs, four at each of three strides."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import cast

import cv2
import numpy as np
from PIL import Image

from pipelines.details.choosing import Found
from pipelines.details.onnx_file import OnnxFile

OUTPUTS = {f"{kind}_{stride}" for kind, stride in product(("cls", "obj", "bbox", "kps"), (8, 16, 32))}
LEAST, OVERLAP, MOST = 0.05, 0.45, 500
LONGEST = 1280  # pixels: a larger picture is reduced first; faces of a few pixels are no details


def is_yunet(file: OnnxFile) -> bool:
    return {*file.outputs} == OUTPUTS


def yunet(path: Path, picture: Image.Image) -> list[Found]:
    """The faces of the picture. Raises `cv2.error` for a network that cannot be run."""
    share = min(1.0, LONGEST / max(picture.size))
    size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    network = cv2.FaceDetectorYN.create(str(path), "", size, LEAST, OVERLAP, MOST)
    _, found = network.detect(np.asarray(picture.convert("RGB").resize(size), np.uint8)[..., ::-1].copy())
    faces = cast(object, found)  # None where it sees nothing, whatever its stub says
    return [] if faces is None else [_found([float(number) for number in face], share) for face in np.asarray(found, np.float32)]


def _found(face: list[float], share: float) -> Found:
    """OpenCV's row: left, top, width, height, five points, and how sure it is."""
    left, top, width, height = (number / share for number in face[:4])
    return Found((round(left), round(top), round(left + width), round(top + height)), min(max(face[-1], 0.0), 1.0), "face")
