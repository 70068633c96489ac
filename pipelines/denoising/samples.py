"""Samples of a network call: each picture of a batch, or each window of each picture; and what belongs to which of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from pipelines.images.masking import Box

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True)
class Samples:
    """Those of one call, `first` to before `end`, among the `total` that are denoised at once.

    Pictures lie one after another; in windows, the first window of all pictures, then the second. What belongs to them comes in one
    item for all, one a window, or one a sample.
    """

    first: int
    end: int
    total: int

    def of(self, items: Sequence[Item]) -> list[Item]:
        """The item of each sample of the call."""
        return [items[sample * len(items) // self.total] for sample in range(self.first, self.end)]

    def rows(self, values: Tensor) -> Tensor:
        """The same of a tensor's rows; where there is one for all, that one."""
        if len(values) == 1:
            return values
        if len(values) == self.total:
            return values[self.first : self.end]
        return torch.stack(self.of(values.unbind()))


def stacked(values: Tensor, windows: Sequence[Box], scale: int = 1) -> Tensor:
    """(n, channels, h, w) -> (windows * n, channels, ...), in the order of `Samples`. `windows`: in latents; `scale`: places along one."""
    if len(windows) == 1:
        return values
    return torch.cat([cut(values, window, scale) for window in windows])


def cut(values: Tensor, window: Box, scale: int = 1) -> Tensor:
    """A window of it, in the same memory."""
    left, top, right, bottom = (side * scale for side in window)
    return values[..., top:bottom, left:right]
