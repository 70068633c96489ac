"""A UNet that looks less well for the length of a `with` block: the self-attention of its middle is taken away or made blind.

What it answers then, held against what it answers otherwise, is a guidance of its own. No weight changes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import partial
from math import ceil, isqrt
from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.patches.ip_adapter import Attention

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel


@contextmanager
def without_attention(unet: UNet2DConditionModel, blur: float = 0.0, shape: float = 1.0) -> Generator[None]:
    """Each place sees itself alone: Ahn et al. (2024), arXiv:2403.17377, perturbed-attention guidance."""
    with ExitStack() as stack:
        for layer in middle(unet):
            stack.callback(layer.set_processor, layer.processor)
            layer.set_processor(_itself)
        yield


@contextmanager
def with_blurred_queries(unet: UNet2DConditionModel, blur: float = 0.0, shape: float = 1.0) -> Generator[None]:
    """What places ask is blurred: Hong (2024), arXiv:2408.00760, smoothed energy guidance. `blur`: the sigma of a Gaussian, in places; 0:
    without end, where all ask the same, the mean of what they would ask. `shape`: height of the picture / its width.
    """
    with ExitStack() as stack:
        for layer in middle(unet):
            stack.callback(layer.to_q.register_forward_hook(partial(_blurred, blur, shape) if blur else _mean).remove)
        yield


# network, how far it blurs, height of the picture / its width
PERTURBED: Mapping[str, Callable[[UNet2DConditionModel, float, float], AbstractContextManager[None]]] = {
    "PAG": without_attention,
    "SEG": with_blurred_queries,
}


def rows_of(places: int, shape: float) -> int:
    """In how many rows so many places of a layer lie. `shape`: as above."""
    rows = max(1, isqrt(round(places * shape)))
    while places % rows:
        rows += 1
    return rows


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


def _blurred(blur: float, shape: float, _: nn.Module, given: object, queries: Tensor) -> Tensor:
    """Along the rows, then along the columns. The edges mirror; a kernel is no wider than what it blurs."""
    rows = rows_of(queries.shape[1], shape)
    planes = queries.transpose(1, 2).reshape(len(queries), queries.shape[2], rows, -1)
    for across in (True, False):
        planes = _along(planes if across else planes.transpose(2, 3), blur)
    return planes.transpose(2, 3).flatten(2).transpose(1, 2)


def _along(planes: Tensor, blur: float) -> Tensor:
    """(rows, channels, h, w) along w."""
    side, width = planes.shape[3], 2 * ceil(3 * blur) + 1
    half = min(width, side - 1 + side % 2) // 2
    weight = torch.exp(-0.5 * (torch.arange(-half, half + 1) / blur) ** 2)
    kernel = (weight / weight.sum()).to(planes).expand(planes.shape[1], 1, 1, -1)
    return functional.conv2d(functional.pad(planes, (half, half, 0, 0), "reflect"), kernel, groups=planes.shape[1])
