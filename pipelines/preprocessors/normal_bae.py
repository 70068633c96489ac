"""Which way surfaces face, Bae et al., "Estimating and Exploiting the Aleatoric Uncertainty in Surface Normal Estimation" (2021)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.preprocessors.annotators import Annotator
from pipelines.preprocessors.resolution import Pixels, eight_bits, in_blocks
from pipelines.preprocessors.weights import as_input, filled

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet


def opened(paths: Sequence[Path]) -> Annotator:
    from controlnet_aux.normalbae.nets.NNET import NNET

    sizes = SimpleNamespace(mode="client", architecture="BN", pretrained="scannet", sampling_ratio=0.4, importance_ratio=0.7)
    return Annotator((filled(NNET(sizes), paths[0]),))


def normals(pixels: Pixels, annotator: Annotator) -> Pixels:
    """(h, w, 3): red is x, green y, blue towards the eye, each from -1 to 1."""
    return eight_bits(in_blocks(pixels, lambda wide: _vectors(wide, annotator)) * 0.5 + 0.5)


def _vectors(pixels: Pixels, annotator: Annotator) -> NDArray[np.float32]:
    mean, deviation = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, DEVIATION))
    finest = annotator((as_input(pixels) / 255 - mean) / deviation)[0][-1]
    return finest[0, :3].permute(1, 2, 0).float().cpu().numpy()
