"""Scaled weights in eight bits (fp8): `x.weight` times `x.scale_weight` or `x.weight_scale` is the weight that is meant.

One scale for the whole weight or one for each row (output). Without the scale such a file draws noise.
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from models.errors import UserError

ENDINGS = (".scale_weight", ".weight_scale")


def scales_of(names: Mapping[str, str]) -> dict[str, str]:
    """Weight -> its scale, of those names that have one."""
    return {name.rpartition(".")[0] + ".weight": name for name in names if name.endswith(ENDINGS)}


def scale(part: str, weights: Mapping[str, Tensor], scales: Mapping[str, Tensor]) -> None:
    """Multiplies in place, in float32. `scales`: by the weight's name. Raises `UserError` when one does not fit its weight."""
    for name, factor in scales.items():
        if name not in weights or factor.numel() not in (1, len(weights[name])):
            raise UserError(f"In the {part}, the scale of {name} does not fit it. Look for the file in float16.")
        rows = factor.float().reshape(-1, *[1] * (weights[name].ndim - 1))
        weights[name].copy_(weights[name].float() * rows)
