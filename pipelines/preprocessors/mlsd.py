"""Straight lines by M-LSD, Gu et al., "Towards Light-weight and Real-time Line Segment Detection" (2022)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.preprocessors.annotators import Annotator
from pipelines.preprocessors.resolution import Pixels, in_blocks
from pipelines.preprocessors.weights import as_input, filled

MOST_LINES = 200
NEXT_TO_EACH_OTHER = 3  # pixels of the network's map, which is half as large as the picture


def opened(paths: Sequence[Path]) -> Annotator:
    from controlnet_aux.mlsd.models.mbv2_mlsd_large import MobileV2_MLSD_Large

    return Annotator((filled(MobileV2_MLSD_Large(), paths[0]),))


def straight_lines(pixels: Pixels, score: float, length: float, annotator: Annotator) -> Pixels:
    """(h, w): white lines of one pixel, those of at least `score` (0 .. 1) that are longer than `length` in pixels of the map."""
    return in_blocks(pixels, lambda wide: _drawn(wide, score, length, annotator))


def _drawn(pixels: Pixels, score: float, length: float, annotator: Annotator) -> Pixels:
    canvas = np.zeros(pixels.shape[:2], np.uint8)
    for line in _lines(pixels, score, length, annotator):
        left, top, right, bottom = (int(value) for value in line)
        cv2.line(canvas, (left, top), (right, bottom), 255, 1)
    return canvas


def _lines(pixels: Pixels, score: float, length: float, annotator: Annotator) -> NDArray[np.floating]:
    """(n, 4): x and y of both ends in pixels of the picture. Its map holds how sure a centre is, and both ends as seen from there."""
    values = as_input(pixels)
    whole = torch.cat([values, torch.ones_like(values[:, :1])], dim=1)  # with an alpha of nearly nothing, as it was trained
    map_ = annotator(whole / 127.5 - 1)[0].float().cpu()
    centres = _peaks(torch.sigmoid(map_[0]))
    best, places = centres.flatten().topk(min(MOST_LINES, centres.numel()))
    down, across = places // map_.shape[2], places % map_.shape[2]
    ends = map_[1:5, down, across].T
    kept = (best > score) & ((ends[:, :2] - ends[:, 2:]).norm(dim=1) > length)
    found = torch.stack([across, down, across, down], dim=1) + ends
    return 2 * found[kept].numpy()


def _peaks(heat: torch.Tensor) -> torch.Tensor:
    """(h, w): 0 wherever a neighbour is larger."""
    largest = torch.nn.functional.max_pool2d(heat[None], NEXT_TO_EACH_OTHER, stride=1, padding=NEXT_TO_EACH_OTHER // 2)[0]
    return heat * (heat == largest)
