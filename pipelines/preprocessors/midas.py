"""Depth by MiDaS 3.0, Ranftl et al., "Vision Transformers for Dense Prediction" (2021), and the normals of ControlNet 1.0 from it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.preprocessors.annotators import Annotator
from pipelines.preprocessors.depth import between_0_and_1
from pipelines.preprocessors.resolution import Pixels, eight_bits, in_blocks
from pipelines.preprocessors.weights import as_input, filled

STEEPNESS = 2 * math.pi  # of depth, against one pixel: ControlNet 1.0, gradio_normal2image


def opened(paths: Sequence[Path]) -> Annotator:
    from controlnet_aux.midas.midas.dpt_depth import DPTDepthModel

    return Annotator((filled(DPTDepthModel(path=None, backbone="vitb_rn50_384", non_negative=True), paths[0]),))


def nearness(pixels: Pixels, annotator: Annotator) -> NDArray[np.float32]:
    """(h, w): 1 / distance, up to a factor and a shift that nobody knows."""
    return in_blocks(pixels, lambda wide: annotator(as_input(wide) / 127.5 - 1)[0].float().cpu().numpy())


def normals(pixels: Pixels, background: float, annotator: Annotator) -> Pixels:
    """(h, w, 3): blue is x, green y, red towards the eye. What is farther than `background` (0 .. 1 of the nearness) faces the eye."""
    near = nearness(pixels, annotator)
    far = between_0_and_1(near) < background
    across, down = (np.where(far, 0, cv2.Sobel(near, cv2.CV_32F, *axis, ksize=3)) for axis in ((1, 0), (0, 1)))
    vectors = np.stack([np.full_like(across, STEEPNESS), down, across], axis=2)
    return eight_bits(vectors / np.linalg.norm(vectors, axis=2, keepdims=True) * 0.5 + 0.5)
