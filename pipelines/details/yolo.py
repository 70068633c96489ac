"""Detectors of the YOLO family in ONNX: one output, (1, 4 + classes, anchors): middle, width and height in pixels of the input, then how
sure each class is, 0 .. 1. One that also outlines things (a second output, (1, n, h, w)) has n numbers more for each anchor.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeGuard

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.details.choosing import Found
from pipelines.details.onnx_file import OnnxFile

SIDE = 640  # of the input, where it is free
PADDING = 114  # grey beside a picture that is not square, as these networks were trained
LEAST, OVERLAP, MOST = 0.05, 0.45, 500  # confidence that is looked at, overlap above which two are one, boxes
Values = NDArray[np.float32]


def is_yolo(file: OnnxFile) -> bool:
    """By its shapes; free sides may be anything."""
    sides = [*file.outputs.values()]
    reads = next(iter(file.inputs.values()))
    if len(file.inputs) != 1 or len(reads) != 4 or reads[1] not in (0, 3):
        return False
    boxes = [each for each in sides if len(each) == 3]
    outlines = [each for each in sides if len(each) == 4]
    return len(boxes) == 1 and len(boxes) + len(outlines) == len(sides) <= 2 and (boxes[0][1] == 0 or boxes[0][1] > 4)


def yolo(path: Path, file: OnnxFile, picture: Image.Image) -> list[Found]:
    """What the network sees in the picture, the surest first. Raises `cv2.error` for a network that cannot be run."""
    side = _side(file)
    image, share, corner = _fitted(picture, side)
    network = cv2.dnn.readNetFromONNX(str(path))
    network.setInput(cv2.dnn.blobFromImage(image, 1 / 255))
    answers = [np.asarray(answer, np.float32) for answer in network.forward(network.getUnconnectedOutLayersNames())]
    boxes = next(answer for answer in answers if answer.ndim == 3)[0]
    extra = sum(answer.shape[1] for answer in answers if answer.ndim == 4)
    return decoded(boxes, extra, labels(file.metadata), share, corner)


def decoded(values: Values, extra: int, names: Mapping[int, str], share: float, corner: tuple[int, int]) -> list[Found]:
    """`values`: (4 + classes + extra, anchors). `share`, `corner`: how a picture was scaled, and where it then lay in the input.

    Of boxes of one class that overlap much, the surest is kept.
    """
    classes = values[4 : len(values) - extra]
    best, sure = classes.argmax(0), np.nan_to_num(classes.max(0))
    kept = np.flatnonzero((sure >= LEAST) & np.isfinite(values[:4]).all(0))
    kept = kept[np.argsort(-sure[kept], kind="stable")][: 20 * MOST]
    middles, sides = values[:2, kept].T, values[2:4, kept].T
    corners = np.concatenate([middles - sides / 2, sides], 1)
    if not len(kept):
        return []
    left = cv2.dnn.NMSBoxesBatched(corners.tolist(), sure[kept].tolist(), best[kept].tolist(), LEAST, OVERLAP)
    return [_found(corners[at], float(sure[kept[at]]), names.get(int(best[kept[at]]), ""), share, corner) for at in left[:MOST]]


def labels(metadata: Mapping[str, str]) -> Mapping[int, str]:
    """Class -> what it is called, as exporters note it: "{0: 'face'}". Nothing where that cannot be read."""
    try:
        found: object = ast.literal_eval(metadata.get("names", "{}")[:10_000])
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return {}
    return {key: str(name)[:100] for key, name in found.items() if isinstance(key, int)} if is_mapping(found) else {}


def is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, dict)


def _side(file: OnnxFile) -> tuple[int, int]:
    """Width and height of the input."""
    sides: Sequence[int] = next(iter(file.inputs.values()))
    return sides[3] or SIDE, sides[2] or SIDE


def _fitted(picture: Image.Image, size: tuple[int, int]) -> tuple[NDArray[np.uint8], float, tuple[int, int]]:
    """The picture in the middle of the input, how it was scaled, and where it lies there."""
    share = min(size[0] / picture.width, size[1] / picture.height)
    inner = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    corner = (size[0] - inner[0]) // 2, (size[1] - inner[1]) // 2
    image = Image.new("RGB", size, (PADDING,) * 3)
    image.paste(picture.convert("RGB").resize(inner, Image.Resampling.BILINEAR), corner)
    return np.asarray(image), share, corner


def _found(box: Values, sure: float, label: str, share: float, corner: tuple[int, int]) -> Found:
    left, top = ((float(box[at]) - corner[at]) / share for at in (0, 1))
    right, bottom = left + float(box[2]) / share, top + float(box[3]) / share
    return Found((round(left), round(top), round(right), round(bottom)), min(sure, 1.0), label)
