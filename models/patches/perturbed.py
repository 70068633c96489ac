"""A UNet that looks less well for the length of a `with` block: the self-attention of its middle is taken away or made blind.

What it answers then, held against what it answers otherwise, is a guidance of its own. No weight changes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING, cast

from torch import Tensor, nn

from models.patches.ip_adapter import Attention

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel


@contextmanager
def without_attention(unet: UNet2DConditionModel) -> Generator[None]:
    """Each place sees itself alone: Ahn et al. (2024), arXiv:2403.17377, perturbed-attention guidance."""
    with ExitStack() as stack:
        for layer in middle(unet):
            stack.callback(layer.set_processor, layer.processor)
            layer.set_processor(_itself)
        yield


@contextmanager
def with_one_query(unet: UNet2DConditionModel) -> Generator[None]:
    """All places ask the same, the mean of what they would ask: Hong (2024), arXiv:2408.00760, smoothed energy guidance with a blur without
    end.
    """
    with ExitStack() as stack:
        for layer in middle(unet):
            stack.callback(layer.to_q.register_forward_hook(_mean).remove)
        yield


PERTURBED: Mapping[str, Callable[[UNet2DConditionModel], AbstractContextManager[None]]] = {
    "PAG": without_attention,
    "SEG": with_one_query,
}


def middle(unet: UNet2DConditionModel) -> list[Attention]:
    """The self-attention of the middle block."""
    names = [name for name in unet.attn_processors if name.startswith("mid_block") and name.endswith("attn1.processor")]
    return [cast(Attention, unet.get_submodule(name.removesuffix(".processor"))) for name in names]


def _itself(attn: Attention, hidden_states: Tensor, *arguments: object, **options: object) -> Tensor:
    """An attention processor. The layers are called, as one that runs layer by layer has its weights on the device only then."""
    answer = attn.to_v(hidden_states)
    for layer in attn.to_out:
        answer = layer(answer)
    return answer


def _mean(_: nn.Module, given: object, queries: Tensor) -> Tensor:
    return queries.mean(1, keepdim=True).expand_as(queries)
