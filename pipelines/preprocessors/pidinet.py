"""Outlines by PiDiNet, Su et al., "Pixel Difference Networks for Efficient Edge Detection" (2021)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.preprocessors.annotators import Annotator
from pipelines.preprocessors.hed import as_scribble, in_steps
from pipelines.preprocessors.resolution import Pixels, eight_bits, in_blocks
from pipelines.preprocessors.weights import as_input, filled


def opened(paths: Sequence[Path]) -> Annotator:
    from controlnet_aux.pidi.model import pidinet

    return Annotator((filled(pidinet(), paths[0]),))


def soft_edges(pixels: Pixels, steps: float, annotator: Annotator) -> Pixels:
    """(h, w). `steps`: how many steps of brightness are left; 0: all."""
    return eight_bits(in_steps(in_blocks(pixels, lambda wide: _edges(wide, annotator)), steps))


def scribble(pixels: Pixels, annotator: Annotator) -> Pixels:
    """(h, w), black and white."""
    return as_scribble(soft_edges(pixels, 0, annotator))


def _edges(pixels: Pixels, annotator: Annotator) -> NDArray[np.floating]:
    """0 .. 1. The network reads blue first."""
    return annotator(as_input(pixels[:, :, ::-1]) / 255)[-1][0, 0].float().cpu().numpy()
