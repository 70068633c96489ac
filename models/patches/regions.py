"""Regions of a picture that attend to words of their own ("attention couple"): each layer asks once and is answered by every prompt, and at
each place the answers are mixed by what each prompt counts there. What is mixed is attention alone, so regions see each other as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.patches.ip_adapter import Attention, Beside

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

Shares = Callable[[int], Sequence[Tensor]]  # places of a layer -> what each prompt counts there: (1 or n, places, 1), the first one's first


class WordLayer(Attention, Protocol):
    """A layer that reads words."""

    to_v: nn.Linear


@contextmanager
def divided(unet: UNet2DConditionModel, contexts: Sequence[Tensor], shares: Shares, branches: int) -> Generator[None]:
    """Within the block the last of the `branches` of each call reads these prompts too, each where it counts; the others are as ever.

    `contexts`: of each further prompt, (1, tokens, width). Whatever attention a layer had before is back afterwards.
    """
    with ExitStack() as stack:
        for layer in word_layers(unet):
            stack.callback(layer.set_processor, layer.processor)
            layer.set_processor(Divided(contexts, shares, branches))
        yield


def word_layers(unet: UNet2DConditionModel) -> Iterator[WordLayer]:
    """Those that read the words. In networks for enlarging both layers of a block do."""
    return (cast(WordLayer, module) for module in unet.modules() if getattr(module, "is_cross_attention", False))


def divided_now(layer: Attention) -> Divided | None:
    """How a layer is divided at this moment; None: it is not."""
    processor: object = layer.processor
    while isinstance(processor, Beside):
        processor = processor.before
    return processor if isinstance(processor, Divided) else None


class Divided:
    """The attention of one layer (Vaswani et al. 2017, arXiv:1706.03762) to several prompts."""

    def __init__(self, contexts: Sequence[Tensor], shares: Shares, branches: int) -> None:
        self.contexts, self.shares, self._branches = contexts, shares, branches

    def __call__(self, attn: WordLayer, hidden_states: Tensor, encoder_hidden_states: Tensor, *_: object, **__: object) -> Tensor:
        query = _heads(attn.to_q(hidden_states), attn.heads)
        found = _attended(attn, query, encoder_hidden_states)
        first = len(query) // self._branches * (self._branches - 1)
        own, *others = self.shares(query.shape[2])
        mixed = found[first:] * own.to(found)
        for context, share in zip(self.contexts, others, strict=True):
            mixed = mixed + _attended(attn, query[first:], context.expand(len(mixed), -1, -1)) * share.to(found)
        return attn.to_out[0](torch.cat([found[:first], mixed])) / attn.rescale_output_factor


def _attended(attn: WordLayer, query: Tensor, context: Tensor) -> Tensor:
    """(rows, places, channels)."""
    key, value = _heads(attn.to_k(context), attn.heads), _heads(attn.to_v(context), attn.heads)
    return functional.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2)


def _heads(tensor: Tensor, heads: int) -> Tensor:
    """(rows, places, channels) -> (rows, heads, places, channels of one head)."""
    return tensor.unflatten(-1, (heads, -1)).transpose(1, 2)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # torch
