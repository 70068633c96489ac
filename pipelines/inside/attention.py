"""Attention to the words: from which places of the picture the UNet looks at which words, layer by layer.

The share that a place gives to each token is softmax(q k / sqrt(d)), by Vaswani et al. 2017 (arXiv:1706.03762), as the mean of the heads.
Summed over layers and steps it is a heat map of a word: Tang et al. 2022, arXiv:2210.04885 (DAAM).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from models.patches.ip_adapter import Attention

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

ROWS = 4096  # places whose shares are worked out at once, so that memory stays small whatever the size
Heard = Callable[[str, Tensor], None]  # a part of `PARTS`; the shares of a layer of it: (places, tokens), float32, each row sums to 1
PARTS = {"down_blocks": "Down", "mid_block": "Middle", "up_blocks": "Up"}  # of the UNet, in the order in which they run


@contextmanager
def overheard(unet: UNet2DConditionModel, heard: Heard) -> Generator[None]:
    """Within the block `heard` is told, whenever a layer runs that reads the words, what the last sample of the call gives to them.

    That is the positive branch where there are two. Nothing of the network changes: its own queries and keys are listened to.
    """
    with ExitStack() as stack:
        for part, layer in word_layers(unet):
            ear = _Ear(part, layer.heads, heard)
            stack.callback(layer.to_q.register_forward_hook(ear.asks).remove)
            stack.callback(layer.to_k.register_forward_hook(ear.answers).remove)
        yield


class _Ear:
    """Listens to one layer, which makes its queries before its keys."""

    def __init__(self, part: str, heads: int, heard: Heard) -> None:
        self._part, self._heads, self._heard = part, heads, heard
        self._query: Tensor | None = None

    def asks(self, _: nn.Module, given: object, query: Tensor) -> None:
        self._query = query

    def answers(self, _: nn.Module, given: object, key: Tensor) -> None:
        if self._query is not None:
            self._heard(self._part, shares(self._query[-1:], key[-1:], self._heads))
        self._query = None


def word_layers(unet: UNet2DConditionModel) -> list[tuple[str, Attention]]:
    """Those that read the words, in the order in which diffusers has them, each with its part of the UNet."""
    layers = cast(Iterable[tuple[str, nn.Module]], unet.named_modules())
    return [(PARTS[name.split(".")[0]], cast(Attention, layer)) for name, layer in layers if name.endswith(".attn2")]


def shares(query: Tensor, key: Tensor, heads: int) -> Tensor:
    """(places, tokens), float32: of queries (1, places, channels) and keys (1, tokens, channels), the mean of the heads."""
    asked, offered = _heads(query, heads), _heads(key, heads).transpose(1, 2) * (query.shape[-1] // heads) ** -0.5
    parts = [torch.bmm(asked[:, first : first + ROWS], offered).float().softmax(-1).mean(0) for first in range(0, asked.shape[1], ROWS)]
    return parts[0] if len(parts) == 1 else torch.cat(parts)


def _heads(values: Tensor, heads: int) -> Tensor:
    """(1, places, channels) -> (heads, places, channels of a head)."""
    return values[0].view(values.shape[1], heads, -1).transpose(0, 1)
