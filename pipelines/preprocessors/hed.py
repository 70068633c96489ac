"""Outlines by HED, Xie and Tu, "Holistically-Nested Edge Detection" (2015), in the version that ControlNet 1.1 was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from pipelines.preprocessors.annotators import Annotator
from pipelines.preprocessors.resolution import Pixels, eight_bits, in_blocks
from pipelines.preprocessors.weights import as_input, filled


def opened(paths: Sequence[Path]) -> Annotator:
    from controlnet_aux.hed import ControlNetHED_Apache2

    return Annotator((filled(ControlNetHED_Apache2(), paths[0]),))


def soft_edges(pixels: Pixels, steps: float, annotator: Annotator) -> Pixels:
    """(h, w). `steps`: how many steps of brightness are left; 0: all."""
    return eight_bits(in_steps(in_blocks(pixels, lambda wide: _edges(wide, annotator)), steps))


def scribble(pixels: Pixels, annotator: Annotator) -> Pixels:
    """(h, w), black and white."""
    return as_scribble(soft_edges(pixels, 0, annotator))


def _edges(pixels: Pixels, annotator: Annotator) -> NDArray[np.float64]:
    return mean_edge(annotator(as_input(pixels)), pixels.shape)


def mean_edge(sides: Sequence[Tensor], shape: tuple[int, ...]) -> NDArray[np.float64]:
    """0 .. 1: the mean of a network's side outputs, (1, 1, h, w) each and not yet between 0 and 1, at the shape (h, w, ...)."""
    maps: list[NDArray[np.float32]] = [side.float().cpu().numpy()[0, 0] for side in sides]
    grown = [np.asarray(cv2.resize(edge, shape[1::-1], interpolation=cv2.INTER_LINEAR), np.float32) for edge in maps]
    return 1 / (1 + np.exp(-np.mean(grown, axis=0).astype(np.float64)))


def in_steps(edge: NDArray[np.floating], steps: float) -> NDArray[np.floating]:
    """With few steps of brightness, so that faint traces of the picture do not shine through ("safe" in sd-webui-controlnet)."""
    count = int(steps)
    return np.floor(edge.astype(np.float32) * (count + 1)) / count if count else edge


def as_scribble(edge: Pixels) -> Pixels:
    """The ridges of the edges as rough strokes (ControlNet 1.1, scribble)."""
    from controlnet_aux.util import nms

    rough = cv2.GaussianBlur(nms(edge, 127, 3.0), (0, 0), 3.0)
    return np.where(rough > 4, 255, 0).astype(np.uint8)
