"""What inpaint control models read: the picture, with -1 where it is to be drawn anew (ControlNet 1.1, inpaint).

A picture cannot hold -1, so what people see has black there, and the model gets its numbers from `inpaint_tensor`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.preprocessors.resolution import Pixels

if TYPE_CHECKING:
    from torch import Tensor

MASKED = -1.0


def preview(pixels: Pixels, mask: Image.Image | None) -> Pixels:
    """(h, w, 3). Without a mask the picture as it is."""
    if mask is None:
        return pixels
    return np.where(_taken_out(mask, (pixels.shape[1], pixels.shape[0]))[..., None], 0, pixels).astype(np.uint8)


def inpaint_tensor(picture: Image.Image, mask: Image.Image) -> Tensor:
    """(1, 3, h, w), float32: the RGB picture in 0 .. 1, and -1 in all channels where the mask, "L", is brighter than half."""
    import torch

    values = np.asarray(picture, np.float32) / 255
    values = np.where(_taken_out(mask, picture.size)[..., None], np.float32(MASKED), values)
    return torch.as_tensor(np.ascontiguousarray(values.transpose(2, 0, 1)))[None]


def _taken_out(mask: Image.Image, size: tuple[int, int]) -> NDArray[np.bool_]:
    same = mask if mask.size == size else mask.resize(size, Image.Resampling.BILINEAR)
    return np.asarray(same.convert("L")) > 127
