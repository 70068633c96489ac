"""Attention to the words: from which places of the picture the UNet looks at which words, layer by layer.

The share that a place gives to each token is softmax(q k / sqrt(d)), by Vaswani et al. 2017 (arXiv:1706.03762), of each head.
Summed over heads, layers and steps it is a heat map of a word: Tang et al. 2022, arXiv:2210.04885 (DAAM).
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn

from models.patches.ip_adapter import Attention
from models.patches.regions import divided_now

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

ROWS = 4096  # places whose shares are worked out at once, so that memory stays small whatever the size
PARTS = {"down_blocks": "Down", "mid_block": "Middle", "up_blocks": "Up"}  # of the UNet, in the order in which they run


@dataclass(frozen=True)
class WordLayer:
    """A layer that reads the words. `block`: of the UNet, as diffusers names it; `part`: of `PARTS`."""

    block: str
    part: str
    layer: Attention


# Which layer has run, its queries (samples, places, channels) and its keys, which may be those of the last samples alone; and whose words
# they are: 0 the prompt's, 1 those of the first region that acts, and so on.
Heard = Callable[[WordLayer, Tensor, Tensor, int], None]


@contextmanager
def overheard(layers: Iterable[WordLayer], heard: Heard) -> Generator[None]:
    """Within the block `heard` is told whenever one of these layers runs. Nothing changes: its own queries and keys are listened to."""
    with ExitStack() as stack:
        for each in layers:
            ear = _Ear(each, heard)
            stack.callback(each.layer.to_q.register_forward_hook(ear.asks).remove)
            stack.callback(each.layer.to_k.register_forward_hook(ear.answers).remove)
        yield


class _Ear:
    """Listens to one layer, which makes its queries before its keys."""

    def __init__(self, layer: WordLayer, heard: Heard) -> None:
        self._layer, self._heard = layer, heard
        self._query: Tensor | None = None
        self._answers = 0

    def asks(self, _: nn.Module, given: object, query: Tensor) -> None:
        self._query, self._answers = query, 0

    def answers(self, _: nn.Module, given: object, key: Tensor) -> None:
        """Of a layer that is divided among regions, the prompt answers first, then each region."""
        if self._query is None:
            return
        self._heard(self._layer, self._query, key, self._answers)
        self._answers += 1
        divided = divided_now(self._layer.layer)
        if divided is None or self._answers > len(divided.contexts):
            self._query = None


def word_layers(unet: UNet2DConditionModel) -> list[WordLayer]:
    """Those that read the words, in the order in which diffusers has them."""
    modules = cast(Iterable[tuple[str, nn.Module]], unet.named_modules())
    return [_layer(name.split("."), cast(Attention, module)) for name, module in modules if name.endswith(".attn2")]


def clearest_layers(unet: UNet2DConditionModel) -> list[WordLayer]:
    """Those of the last block on the way up that reads words: the finest of them, where words have found their things."""
    up = [each for each in word_layers(unet) if each.part == "Up"]
    return [each for each in up if each.block == up[-1].block] if up else []


def _layer(places: Sequence[str], layer: Attention) -> WordLayer:
    return WordLayer(".".join(places[:2]), PARTS[places[0]], layer)


def shares(query: Tensor, key: Tensor, heads: int, belong: Tensor | None = None) -> Tensor:
    """(heads, places, tokens), float32: of queries (1, places, channels) and keys (1, tokens, channels), what each head gives to each
    token. They sum to 1 in each place. `belong`: (tokens, words), 1 where a token is one of a word's; then it is what each word gets.
    """
    asked, offered = _heads(query, heads), _heads(key, heads).transpose(1, 2) * (query.shape[-1] // heads) ** -0.5
    parts: list[Tensor] = []
    for first in range(0, asked.shape[1], ROWS):
        given = torch.bmm(asked[:, first : first + ROWS], offered).float().softmax(-1)
        parts.append(given if belong is None else given @ belong)
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def _heads(values: Tensor, heads: int) -> Tensor:
    """(1, places, channels) -> (heads, places, channels of a head)."""
    return values[0].view(values.shape[1], heads, -1).transpose(0, 1)
