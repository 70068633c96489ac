"""How near everything is: one form for all estimators of depth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.preprocessors import named
from pipelines.preprocessors.annotators import ANNOTATORS, Annotator
from pipelines.preprocessors.resolution import Pixels


def estimate_depth(annotator: Annotator, picture: Image.Image) -> NDArray[np.float32]:
    """Relative nearness of each pixel of an RGB picture, (h, w) as the picture, from 0 for the farthest to 1 for the nearest.

    What one step of it means differs: most estimators give 1 / distance, Zoe and LeReS distance turned over. Zoe cuts off what is
    nearer or farther than most. Where an estimator finds no depth at all, everything is 0.
    """
    return _estimated(np.asarray(picture), annotator)


def depth_map(pixels: Pixels, annotator: Annotator) -> Pixels:
    """(h, w): 255 is near."""
    return np.rint(_estimated(pixels, annotator) * 255).astype(np.uint8)


def _estimated(pixels: Pixels, annotator: Annotator) -> NDArray[np.float32]:
    return between_0_and_1(named(ANNOTATORS[annotator.key].nearness)(pixels, annotator))


def between_0_and_1(values: NDArray[np.float32]) -> NDArray[np.float32]:
    low, high = float(values.min()), float(values.max())
    return ((values - low) / (high - low) if high > low else np.zeros_like(values)).astype(np.float32)
