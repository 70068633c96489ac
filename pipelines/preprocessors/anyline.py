"""Outlines by TEED together with fine strokes (TheMistoAI, Anyline), as MistoLine was trained on them."""

from __future__ import annotations

import cv2
import numpy as np

from pipelines.preprocessors.annotators import Annotator
from pipelines.preprocessors.line_art import strokes
from pipelines.preprocessors.resolution import Pixels, eight_bits
from pipelines.preprocessors.teed import soft_edges

SIGMA, THRESHOLD, STEPS = 2, 3, 2
SMALLEST = 12  # pixels of a stroke. Anyline says 36 and counts each of three channels


def lines(pixels: Pixels, annotator: Annotator) -> Pixels:
    """(h, w): both laid over each other like two slides on one screen.

    controlnet-aux 0.0.10 does this sum in whole numbers of 8 bits, which overflow; here it is what Anyline itself does.
    """
    edges = soft_edges(pixels, STEPS, annotator) / 255
    fine = _without_specks(strokes(pixels, SIGMA, THRESHOLD)) / 255
    return eight_bits(1 - (1 - edges) * (1 - fine))


def _without_specks(drawn: Pixels) -> Pixels:
    _, labels, figures, _ = cv2.connectedComponentsWithStats((drawn > 0).astype(np.uint8), connectivity=4)
    areas = np.asarray(figures)[:, cv2.CC_STAT_AREA]
    return np.where(areas[np.asarray(labels, int)] >= SMALLEST, drawn, 0).astype(np.uint8)
