"""Weights in eight bits (fp8), plain or scaled: `x.weight` times `x.scale_weight` or `x.weight_scale` is the weight that is meant.

One scale for the whole weight or one for each row (output). Without the scale such a file draws noise.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from models.errors import UserError

STORED = (torch.float8_e4m3fn, torch.float8_e5m2)
ENDINGS = (".scale_weight", ".weight_scale")


def scales_of(names: Mapping[str, str]) -> dict[str, str]:
    """Weight -> its scale, of those names that have one."""
    return {name.rpartition(".")[0] + ".weight": name for name in names if name.endswith(ENDINGS)}


def scale(part: str, weights: dict[str, Tensor], scales: Mapping[str, Tensor]) -> None:
    """Multiplies in place, in float32; a weight that stays in eight bits gets its scale beside it, for `apart`.

    `scales`: by the weight's name. Raises `UserError` when one does not fit its weight.
    """
    for name, factor in scales.items():
        if name not in weights or factor.numel() not in (1, len(weights[name])):
            raise UserError(f"In the {part}, the scale of {name} does not fit it. Look for the file in float16.")
        if weights[name].dtype in STORED:
            weights[_beside(name)] = factor
        else:
            weights[name].copy_(_scaled(weights[name], factor))


def apart(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The weights, and the scales of those that stayed in eight bits, by the weights' names."""
    scales = {name: tensors[beside] for name in tensors if (beside := _beside(name)) in tensors}
    beside = {_beside(name) for name in scales}
    return {name: tensor for name, tensor in tensors.items() if name not in beside}, scales


def _beside(weight: str) -> str:
    return weight.removesuffix(".weight") + ENDINGS[1]


def raised(weight: Tensor, dtype: torch.dtype, factor: Tensor | None) -> Tensor:
    """A weight that stayed in eight bits as it would have been read: (its shape) in `dtype`, to the last bit. `factor`: its scale."""
    plain = weight.to(dtype)
    return plain if factor is None else _scaled(plain, factor)


def _scaled(weight: Tensor, factor: Tensor) -> Tensor:
    rows = factor.float().reshape(-1, *[1] * (weight.ndim - 1))
    return (weight.float() * rows).to(weight.dtype)
