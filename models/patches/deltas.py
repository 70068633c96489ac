"""Weight deltas: what one entry of a LoRA file adds to a weight, in closed form, float32.

    LoRA      scale * up @ down                                    Hu et al. 2021 (arXiv:2106.09685)
    LoCon     the same with `down` a convolution; Tucker: up, mid and down contracted
    LoHa      scale * (w1_a @ w1_b) . (w2_a @ w2_b)                Hyeon-Woo et al. 2021 (arXiv:2108.06098)
    LoKr      scale * w1 (x) w2, the Kronecker product             as LyCORIS writes it (arXiv:2309.14859)
    full      the difference itself
    DoRA      (W + delta) brought to a learnt length, row by row or column by column      Liu et al. 2024 (arXiv:2402.09353)

scale = alpha / rank; without alpha it is 1.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

Matrices = Mapping[str, Tensor]  # by role, as in lora_names.ENDINGS

REQUIRED = (  # the roles that make a kind; the first set that is there decides
    {"down", "up"},
    {"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"},
    {"diff"},
    {"diff_b"},
)


def is_complete(matrices: Matrices) -> bool:
    """Whether the entry has all that its kind needs: no half pair."""
    roles = set(matrices)
    if any(role.startswith("lokr") for role in roles):
        return all(f"lokr_{name}" in roles or {f"lokr_{name}_a", f"lokr_{name}_b"} <= roles for name in ("w1", "w2"))
    return any(required <= roles for required in REQUIRED)


def rank_of(matrices: Matrices) -> int:
    """The inner dimension; 0 for kinds that have none."""
    for role in ("down", "hada_w1_b", "lokr_w1_b", "lokr_w2_b"):
        if role in matrices:
            return matrices[role].shape[0] if matrices[role].ndim else 0
    return 0


def scale_of(matrices: Matrices) -> float:
    """The factor that the file asks for at strength 1."""
    if "scale" in matrices:
        return float(matrices["scale"])
    rank = rank_of(matrices)
    return float(matrices["alpha"]) / rank if "alpha" in matrices and rank else 1.0


def check_shapes(matrices: Matrices, weight: Tensor) -> None:
    """Raises `RuntimeError` or `ValueError` where the matrices do not make a difference of the weight's shape. Computes nothing."""
    _delta({role: torch.empty(tensor.shape, device="meta") for role, tensor in matrices.items()}, 1.0, weight.to("meta"))


def weight_delta(matrices: Matrices, weight: Tensor) -> Tensor:
    """(shape of `weight`) float32 on its device: what the entry adds to it at strength 1."""
    found = {role: tensor.to(weight.device, torch.float32) for role, tensor in matrices.items() if role not in ("alpha", "scale")}
    return _delta(found, scale_of(matrices), weight)


def _delta(found: Matrices, scale: float, weight: Tensor) -> Tensor:
    delta = _fitted(_product(found, scale), weight)
    return _brought_to_length(delta, found["dora_scale"], weight) if "dora_scale" in found else delta


def _product(found: Matrices, scale: float) -> Tensor:
    if "down" in found:
        return _low_rank(found, scale)
    if "hada_w1_a" in found:
        return _hadamard(found) * scale
    if "diff" in found:
        return found["diff"]
    return _kronecker(found) * scale


def _low_rank(found: Matrices, scale: float) -> Tensor:
    up, down = found["up"] * scale, found["down"]
    if "mid" in found:
        return torch.einsum("nmkl,in,mj->ijkl", found["mid"], up.flatten(1), down.flatten(1))
    return (up.flatten(1) @ down.flatten(1)).view(up.shape[0], *down.shape[1:])


def _hadamard(found: Matrices) -> Tensor:
    return _factor(found, "hada_w1", "hada_t1") * _factor(found, "hada_w2", "hada_t2")


def _kronecker(found: Matrices) -> Tensor:
    first = _factor(found, "lokr_w1", "")
    second = _factor(found, "lokr_w2", "lokr_t2")
    while first.ndim < second.ndim:
        first = first.unsqueeze(-1)
    return torch.kron(first.contiguous(), second.contiguous())


def _factor(found: Matrices, name: str, core: str) -> Tensor:
    """A matrix that is whole, or the product of two, or a Tucker core between them."""
    if name in found:
        return found[name]
    left, right = found[f"{name}_a"], found[f"{name}_b"]
    if core in found:
        return torch.einsum("ijkl,ip,jr->prkl", found[core], left, right)
    return (left @ right.flatten(1)).view(left.shape[0], *right.shape[1:])


def _fitted(delta: Tensor, weight: Tensor) -> Tensor:
    """In the weight's shape. A model with more input channels (inpainting) is changed in those that the LoRA knows."""
    if delta.ndim == weight.ndim == 4 and delta.shape[0] == weight.shape[0] and delta.shape[2:] == weight.shape[2:]:
        missing = weight.shape[1] - delta.shape[1]
        if missing > 0 and delta.shape[1] == 4:
            return torch.nn.functional.pad(delta, (0, 0, 0, 0, 0, missing))
    if delta.numel() != weight.numel() or delta.shape[0] != weight.shape[0]:
        raise ValueError(f"{tuple(delta.shape)} instead of {tuple(weight.shape)}")
    return delta.reshape(weight.shape)


def _brought_to_length(delta: Tensor, length: Tensor, weight: Tensor) -> Tensor:
    """What takes W to length * (W + delta) / |W + delta|, each output's or each input's vector on its own."""
    whole = weight.float() + delta
    by_output = length.shape[0] == weight.shape[0] and length.numel() == weight.shape[0]
    if not by_output and length.numel() != weight.shape[1]:
        raise ValueError(f"{tuple(length.shape)} lengths for {tuple(weight.shape)}")
    ones = (1,) * (weight.ndim - 2)
    if by_output:
        norm, target = _lengths(whole.flatten(1)).view(-1, 1, *ones), length.reshape(-1, 1, *ones)
    else:
        norm, target = _lengths(whole.transpose(0, 1).flatten(1)).view(1, -1, *ones), length.reshape(1, -1, *ones)
    return whole * (target / norm.clamp(min=torch.finfo(torch.float32).eps)) - weight.float()


def _lengths(vectors: Tensor) -> Tensor:
    """(n, m) -> (n,)."""
    return vectors.norm(dim=1)  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # torch annotates it in part
