"""Depth by LeReS, Yin et al., "Learning to Recover 3D Scene Shape from a Single Image" (2021)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.preprocessors.annotators import Annotator
from pipelines.preprocessors.resolution import Pixels, in_blocks
from pipelines.preprocessors.weights import filled


def opened(paths: Sequence[Path]) -> Annotator:
    from controlnet_aux.leres.leres.multi_depth_model_woauxi import RelDepthModel

    return Annotator((filled(RelDepthModel(backbone="resnext101"), paths[0]),))


def nearness(pixels: Pixels, annotator: Annotator) -> NDArray[np.float32]:
    """(h, w): the distance, up to a factor and a shift, turned over."""
    from controlnet_aux.leres.leres.depthmap import estimateleres

    return -in_blocks(pixels, lambda wide: estimateleres(wide, annotator.networks[0], wide.shape[1], wide.shape[0]))
