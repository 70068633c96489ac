"""Regions made ready: where those of a request lie in what is drawn, and what each counts in the picture as a whole."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pipelines.denoising.areas import Areas, mixed
from pipelines.images.masking import Box, Size
from pipelines.images.store import Inputs
from pipelines.requests.region import Region
from pipelines.requests.request import Drawing

COARSE = 64  # places a side over which it is counted what each prompt has of the picture


class Regions:
    """Those of one request that act. What is painted is read once."""

    def __init__(self, request: Drawing, inputs: Inputs | None = None) -> None:
        """`inputs`: what is painted lies there."""
        self._regions = [*request.divided.values()]
        self._size = request.width, request.height
        self._scale = request.pixels_per_latent
        self._painted = {each.mask: inputs.open(each.mask, "L") for each in self._regions if each.mask and inputs}

    def __bool__(self) -> bool:
        return bool(self._regions)

    def everywhere(self, device: torch.device | str = "cpu") -> Areas:
        """In a picture that is drawn whole."""
        return self.at(self._size, (0, 0, *self._size), self._size, device)

    def at(self, whole: Size, box: Box, size: Size, device: torch.device | str = "cpu") -> Areas:
        """In the part `box` of a picture of the size `whole`, which is drawn at `size`, all in pixels."""
        sides = [edge / length for edge, length in zip(box, (*whole, *whole), strict=True)]
        masks = self._masks(sides, (size[1] // self._scale, size[0] // self._scale))
        return Areas(masks.unsqueeze(1), [each.weight for each in self._regions], device)

    def parts(self, base: float) -> list[float]:
        """What the prompt and each region have of the whole picture; together 1. `base`: as in `mixed`."""
        shares = mixed(self._masks([0.0, 0.0, 1.0, 1.0], (COARSE, COARSE)), [each.weight for each in self._regions], base)
        return [float(share.mean()) for share in shares]

    def _masks(self, sides: list[float], size: tuple[int, int]) -> Tensor:
        """(regions, rows, columns), 0 .. 1, of the part of the picture between these sides, which are shares of it."""
        return torch.as_tensor(np.stack([self._mask(each, sides, size) for each in self._regions]))

    def _mask(self, region: Region, sides: list[float], size: tuple[int, int]) -> NDArray[np.float32]:
        if not region.mask:
            across = _covered(region.left, region.right, sides[0], sides[2], size[1])
            down = _covered(region.top, region.bottom, sides[1], sides[3], size[0])
            return np.asarray(down[:, None] * across, np.float32)
        painted = self._painted[region.mask]
        lengths = (painted.width, painted.height) * 2
        box = tuple(side * length for side, length in zip(sides, lengths, strict=True))
        small = painted.resize((size[1], size[0]), Image.Resampling.BOX, box)  # pyright: ignore[reportArgumentType]  # four of them
        return np.asarray(np.asarray(small, np.float32) / 255, np.float32)


def _covered(start: float, end: float, first: float, last: float, count: int) -> NDArray[np.float32]:
    """Of `count` equal steps from `first` to `last`, how much of each lies between `start` and `end`, 0 .. 1."""
    edges = np.linspace(first, last, count + 1)
    inside = np.minimum(edges[1:], end) - np.maximum(edges[:-1], start)
    return np.clip(inside / (edges[1:] - edges[:-1]), 0, 1).astype(np.float32)
