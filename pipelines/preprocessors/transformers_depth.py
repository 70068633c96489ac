"""Estimators of depth that transformers has: DPT, Depth Anything, ZoeDepth, Depth Pro, and the studio's own, a small DPT."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from pipelines.preprocessors.annotators import Annotator
from pipelines.preprocessors.hub_folder import checked, opened_from
from pipelines.preprocessors.resolution import Pixels
from pipelines.preprocessors.zoe import turned_over

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

KINDS = ("dpt", "depth_anything", "zoedepth", "depth_pro")  # of networks, as their configuration names them


def opened(paths: Sequence[Path]) -> Annotator:
    from transformers import AutoModelForDepthEstimation

    folder = paths[0].parent
    checked(folder, KINDS)
    return opened_from(AutoModelForDepthEstimation, folder)


def nearness(pixels: Pixels, annotator: Annotator) -> NDArray[np.float32]:
    """(h, w)."""
    found = _predicted(pixels, annotator)
    configuration = _configuration(annotator)
    if configuration.model_type == "zoedepth":
        return turned_over(found)
    metres = configuration.model_type == "depth_pro" or getattr(configuration, "depth_estimation_type", "relative") == "metric"
    return np.reciprocal(found.clip(min=1e-4)) if metres else found


def _configuration(annotator: Annotator) -> PreTrainedConfig:
    return cast("PreTrainedModel", annotator.networks[0]).config


def _predicted(pixels: Pixels, annotator: Annotator) -> NDArray[np.float32]:
    """(h, w): distance of those that know metres, else nearness. The networks look at it in a size of their own."""
    size = pixels.shape[:2]
    values = annotator.processor(images=Image.fromarray(pixels), return_tensors="pt")["pixel_values"]
    outputs = annotator(values)
    source = {"source_sizes": [size]} if _configuration(annotator).model_type == "zoedepth" else {}
    found: torch.Tensor = annotator.processor.post_process_depth_estimation(outputs, target_sizes=[size], **source)[0]["predicted_depth"]
    return found.float().cpu().numpy().reshape(size)
