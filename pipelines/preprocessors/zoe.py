"""Distances in metres, Bhat et al., "ZoeDepth: Zero-shot Transfer by Combining Relative and Metric Depth" (2023)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.preprocessors.annotators import Annotator
from pipelines.preprocessors.resolution import Pixels, in_blocks
from pipelines.preprocessors.weights import as_input, filled

if TYPE_CHECKING:
    from controlnet_aux.zoe.zoedepth.models.zoedepth.zoedepth_v1 import ZoeDepth

NEAREST, FARTHEST = 2, 85  # percentiles, beyond which everything is near or far: ControlNet 1.1, depth


def opened(paths: Sequence[Path]) -> Annotator:
    from controlnet_aux.zoe.zoedepth.models.zoedepth.zoedepth_v1 import ZoeDepth
    from controlnet_aux.zoe.zoedepth.utils.config import get_config

    return Annotator((filled(ZoeDepth.build_from_config(get_config("zoedepth", "infer")), paths[0]),))


def nearness(pixels: Pixels, annotator: Annotator) -> NDArray[np.float32]:
    """(h, w), 0 .. 1."""
    return turned_over(in_blocks(pixels, lambda wide: _distance(wide, annotator)))


def turned_over(distance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Nearness, 0 .. 1, in even steps of distance, as the depth models of ControlNet 1.1 learned it from Zoe."""
    near, far = np.percentile(distance, (NEAREST, FARTHEST))
    return (1 - (distance - near) / max(far - near, 1e-6)).clip(0, 1).astype(np.float32)


def _distance(pixels: Pixels, annotator: Annotator) -> NDArray[np.float32]:
    """(h, w) in metres; the mean with that of the mirrored picture, as its authors do it."""
    network = cast("ZoeDepth", annotator.networks[0])
    with torch.inference_mode():
        return network.infer(as_input(pixels).to(next(network.parameters()).device) / 255)[0, 0].float().cpu().numpy()
