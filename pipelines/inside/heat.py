"""Heat: how much each word was looked at from each place of the picture, by size of layers and stretch of steps, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from pipelines.inside.answers import HeatWord
from pipelines.inside.said import SpokenWord
from pipelines.inside.schedules import short

FINEST = 64  # places along the longer side of what is kept
MOST = 48 * 2**20  # bytes that one picture's heat may take
Size = tuple[int, int]  # height, width
Group = tuple[str, Size]  # a part of the UNet, and the size of its layers
EVERY, TELLING, RESTING = "", "words", "rest"  # heads: all; the half of a layer's that gives most to words; the other half
HALVES = {EVERY: "All heads", TELLING: "Those that look at words most", RESTING: "The others"}


def stretch_of(words: int, steps: int, size: Size) -> int:
    """How many steps share one map, so that all maps fit the memory. `size`: of the latents."""
    height, width = kept_size(size)
    a_map = words * height * width * 4  # float32
    a_step = len(HALVES) * a_map * 8 // 3  # on the way down and up, and a third more for the smaller layers
    return math.ceil(steps / max(1, MOST // a_step))


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
    """The heat of one half of the heads of the layers of one size, in one stretch of steps."""

    total: Tensor  # (words, height, width), float32, of all these heads together
    heads: int = 0  # of all layers that ran, each as often as it ran


@dataclass
class Heat:
    """All that one drawing looked at. `words`: of all its steps together, in their order."""

    latents: Size
    words: Sequence[SpokenWord]
    stretch: int = 1
    _kept: dict[tuple[Group, str, int], Layers] = field(default_factory=dict[tuple[Group, str, int], Layers])
    _belong: dict[tuple[SpokenWord, ...], Tensor] = field(default_factory=dict[tuple[SpokenWord, ...], Tensor])

    def add(self, step: int, part: str, given: Tensor, further: bool = False) -> None:
        """`given`: (heads, places, words) of a layer; what a head gives sums to 1 in each place.

        The heads of each layer are parted by how much they give to the words that somebody wrote, at this call: what a head is good for
        differs from layer to layer, so their numbers say nothing.
        """
        size, heads = layer_size(self.latents, given.shape[1]), len(given)
        plain = [row for row, word in enumerate(self.words) if word.is_plain]
        order = given[:, :, plain].sum((1, 2)).argsort(descending=True)
        half = (heads + 1) // 2
        for name, chosen in ((TELLING, order[:half]), (RESTING, order[half:])):
            if len(chosen):
                self._put(((part, size), name, step // self.stretch), given[chosen], size, further)

    def _put(self, place: tuple[Group, str, int], given: Tensor, size: Size, further: bool) -> None:
        told = given.sum(0).T.reshape(1, -1, *size)
        small = functional.interpolate(told, kept_size(size), mode="area")[0]
        layers = self._kept.setdefault(place, Layers(torch.zeros_like(small)))
        layers.total += small
        layers.heads += 0 if further else len(given)

    def belong(self, said: Sequence[SpokenWord], tokens: int, like: Tensor) -> Tensor:
        """(tokens, words), float32, where `like` is: 1 where a token belongs to a word. `said`: the words of a step."""
        said = tuple(said)
        if said not in self._belong:
            rows = {(word.text, word.number): row for row, word in enumerate(self.words)}
            belong = torch.zeros(tokens, len(self.words))
            for word in said:
                belong[list(word.places), rows[word.text, word.number]] = 1
            self._belong[said] = belong.to(like.device)
        return self._belong[said]

    @property
    def groups(self) -> list[Group]:
        """Of the layers that have run, in the order in which they run."""
        return list(dict.fromkeys(group for group, _, _ in self._kept))

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
        return sorted({stretch for _, _, stretch in self._kept})

    @property
    def has_halves(self) -> bool:
        return any(half == RESTING for _, half, _ in self._kept)

    def of(self, group: Group | None = None, stretch: int | None = None, half: str = EVERY) -> Tensor:
        """(words, height, width), in the host's memory: the mean of the layers of a group, or of all at the finest one's size; of a
        stretch, or of all steps; of a half of the heads, or of all.
        """
        if group is None:
            finest = kept_size(self.finest)
            each = [(self.of(own, stretch, half), self._heads(own, half)) for own in self.groups if self._heads(own, half)]
            total = sum((_larger(heat, finest) * heads for heat, heads in each), torch.zeros(()))
            return total / sum(heads for _, heads in each)
        found = [
            layers
            for (own, heads, place), layers in self._kept.items()
            if own == group and half in (EVERY, heads) and stretch in (None, place)
        ]
        return (torch.stack([each.total for each in found]).sum(0) / sum(each.heads for each in found)).cpu()

    def _heads(self, group: Group, half: str) -> int:
        return sum(layers.heads for (own, heads, _), layers in self._kept.items() if own == group and half in (EVERY, heads))


def _larger(heat: Tensor, size: Size) -> Tensor:
    return functional.interpolate(heat.unsqueeze(0), size, mode="bilinear", align_corners=False)[0]


def as_bytes(heat: Tensor) -> bytes:
    """Little-endian float32, word by word, row by row."""
    return heat.numpy().astype(np.dtype("<f4")).tobytes()


def heat_words(words: Sequence[SpokenWord], heat: Tensor) -> list[HeatWord]:
    """As they are told, with the share that each has of all looks. `heat`: (words, height, width)."""
    shares: list[float] = heat.mean((1, 2)).numpy().tolist()
    return [HeatWord(text=word.text, plain=word.is_plain, share=short(share)) for word, share in zip(words, shares, strict=True)]
