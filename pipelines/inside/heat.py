"""Heat: how much each word was looked at from each place of the picture, by size of layers and stretch of steps, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from models.errors import UserError
from pipelines.inside.said import SpokenWord

FINEST = 64  # places along the longer side of what is kept
MOST = 48 * 2**20  # bytes that one picture's heat may take
LARGEST = 2048 * 2048  # pixels of a picture whose attention is kept
TOO_LARGE = "A picture of more than 2048 × 2048 pixels is not watched: its attention would take too much memory. Choose a smaller one."
Size = tuple[int, int]  # height, width
Group = tuple[str, Size]  # a part of the UNet, and the size of its layers


def check_size(width: int, height: int) -> None:
    """Raises `UserError` for a picture that is too large."""
    if width * height > LARGEST:
        raise UserError(TOO_LARGE)


def stretch_of(words: int, steps: int, size: Size) -> int:
    """How many steps share one map, so that all maps fit the memory. `size`: of the latents."""
    height, width = kept_size(size)
    a_step = words * height * width * 4 * 8 // 3  # float32, on the way down and up, and a third more for the smaller layers
    return max(1, math.ceil(steps * a_step / MOST))


def kept_size(size: Size) -> Size:
    """As it is kept: no side longer than `FINEST`, in the picture's shape."""
    shrink = max(1, max(size) / FINEST)
    return max(1, round(size[0] / shrink)), max(1, round(size[1] / shrink))


def layer_size(latents: Size, places: int) -> Size:
    """Height and width of a layer that has so many places: the latents', halved a few times, rounded up as convolutions do."""
    height, width = latents
    while height * width > places and height * width > 1:
        height, width = -(-height // 2), -(-width // 2)
    if height * width != places:
        raise ValueError(f"a layer of {places} places does not come of latents of {latents}")
    return height, width


@dataclass
class Layers:
    """The heat of the layers of one size, in one stretch of steps."""

    total: Tensor  # (words, height, width), float32
    times: int = 0  # how often such a layer ran

    @property
    def mean(self) -> Tensor:
        return self.total / max(1, self.times)


@dataclass
class Heat:
    """All that one drawing looked at. `words`: of all its steps together, in their order."""

    latents: Size
    words: Sequence[SpokenWord]
    stretch: int = 1
    _kept: dict[tuple[Group, int], Layers] = field(default_factory=dict[tuple[Group, int], Layers])
    _belong: dict[tuple[SpokenWord, ...], Tensor] = field(default_factory=dict[tuple[SpokenWord, ...], Tensor])

    def add(self, step: int, part: str, said: Sequence[SpokenWord], given: Tensor) -> None:
        """`said`: the words of this step. `given`: (places, tokens) of a layer, which sum to 1 in each place."""
        size = layer_size(self.latents, len(given))
        layers = self._layers((part, size), step // self.stretch)
        told = (given @ self._places(tuple(said), given)).T.view(1, -1, *size)
        layers.total += functional.interpolate(told, layers.total.shape[1:], mode="area")[0].cpu()
        layers.times += 1

    def _places(self, said: tuple[SpokenWord, ...], given: Tensor) -> Tensor:
        """(tokens, words): 1 where a token belongs to a word."""
        if said not in self._belong:
            rows = {(word.text, word.number): row for row, word in enumerate(self.words)}
            belong = torch.zeros(given.shape[1], len(self.words))
            for word in said:
                belong[list(word.places), rows[word.text, word.number]] = 1
            self._belong[said] = belong.to(given)
        return self._belong[said]

    def _layers(self, group: Group, stretch: int) -> Layers:
        if (group, stretch) not in self._kept:
            self._kept[group, stretch] = Layers(torch.zeros(len(self.words), *kept_size(group[1])))
        return self._kept[group, stretch]

    @property
    def groups(self) -> list[Group]:
        """Of the layers that have run, in the order in which they run."""
        return list(dict.fromkeys(group for group, _ in self._kept))

    @property
    def finest(self) -> Size:
        return max((size for _, size in self.groups), key=lambda size: size[0] * size[1])

    @property
    def clearest(self) -> int:
        """The place among the groups of the one that is shown first: the finest on the way up, where words have found their things."""
        return max(range(len(self.groups)), key=lambda place: (self.groups[place][0] == "Up", self.groups[place][1]))

    @property
    def stretches(self) -> list[int]:
        """Those of which something is known."""
        return sorted({stretch for _, stretch in self._kept})

    def of(self, group: Group | None = None, stretch: int | None = None) -> Tensor:
        """(words, height, width): the mean of the layers of a group, or of all at the finest one's size; of a stretch, or of all steps."""
        if group is None:
            finest = kept_size(self.finest)
            each = [(self.of(own, stretch), self._times(own)) for own in self.groups]
            total = sum((_larger(heat, finest) * times for heat, times in each), torch.zeros(()))
            return total / sum(times for _, times in each)
        stretches = self.stretches if stretch is None else [stretch]
        found = [self._kept[group, each] for each in stretches if (group, each) in self._kept]
        return torch.stack([each.total for each in found]).sum(0) / sum(each.times for each in found)

    def _times(self, group: Group) -> int:
        return sum(layers.times for (own, _), layers in self._kept.items() if own == group)


def _larger(heat: Tensor, size: Size) -> Tensor:
    return functional.interpolate(heat.unsqueeze(0), size, mode="bilinear", align_corners=False)[0]


def as_bytes(heat: Tensor) -> bytes:
    """Little-endian float32, word by word, row by row."""
    return heat.numpy().astype(np.dtype("<f4")).tobytes()
