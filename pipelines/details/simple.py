"""Detectors that need no file: things of a colour, and what is painted on a mask."""

from __future__ import annotations

import re

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from models.errors import UserError
from pipelines.details.choosing import Found

FAR = 30.0  # CIE 1976 difference at which a colour is another one
SMALLEST = 16  # pixels: what is smaller is noise of the picture
LONGEST = 1536  # pixels: a larger picture is reduced first, for the memory that its colours would take
MOST_PARTS = 500  # the largest; thousands of specks are no details


def of_colour(picture: Image.Image, colour: str) -> list[Found]:
    """Connected areas of about the colour “#rrggbb”. The confidence is how near they come to it on the whole."""
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise UserError(f"“{colour[:20]}” is no colour. Choose one, or write it as #rrggbb.")
    share = min(1.0, LONGEST / max(picture.size))
    size = max(1, round(picture.width * share)), max(1, round(picture.height * share))
    wanted = np.array([[[int(colour[at : at + 2], 16) for at in (1, 3, 5)]]], np.uint8)
    small = np.asarray(picture.convert("RGB").resize(size, Image.Resampling.BOX))
    away = np.asarray(np.linalg.norm(_lab(small) - _lab(wanted), axis=2), np.float32)
    near = cv2.morphologyEx((away < FAR).astype(np.uint8), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8))
    return parts(np.asarray(near, np.uint8), share, 1 - np.clip(away / FAR, 0, 1))


def of_painted(mask: Image.Image) -> list[Found]:
    """Each connected area of a mask."""
    return parts((np.asarray(mask) >= 128).astype(np.uint8))


def parts(area: NDArray[np.uint8], share: float = 1.0, sure: NDArray[np.float32] | None = None) -> list[Found]:
    """The largest connected parts of an area (h, w) of 0 and 1, neighbours across corners too. `share`: of the picture's size that it
    has. `sure`: (h, w), 0 .. 1.
    """
    count, labels, numbers, _ = cv2.connectedComponentsWithStats(area, connectivity=8)
    sums = numbers[:, cv2.CC_STAT_AREA] if sure is None else np.bincount(labels.ravel(), sure.ravel(), minlength=count)
    large = [label for label in range(1, count) if numbers[label][cv2.CC_STAT_AREA] >= SMALLEST]
    large.sort(key=lambda label: -int(numbers[label][cv2.CC_STAT_AREA]))
    return [_found(numbers[label], share, float(sums[label])) for label in large[:MOST_PARTS]]


def _found(numbers: NDArray[np.int32], share: float, sure: float) -> Found:
    left, top, width, height, area = (int(number) for number in numbers)
    box = round(left / share), round(top / share), round((left + width) / share), round((top + height) / share)
    return Found(box, sure / area)


def _lab(colours: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(cv2.cvtColor(np.asarray(colours / 255, np.float32), cv2.COLOR_RGB2LAB), np.float32)
