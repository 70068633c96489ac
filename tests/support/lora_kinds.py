"""LoRAs of every kind on a whole model, and what each adds to an input, written with the operations of its paper and never with a sum."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.diffusion_model import DiffusionModel
from models.patches.lora_files import Lora, read_lora
from models.patches.targets import weighted

Tensors = dict[str, Tensor]
Forward = Callable[[Tensor], Tensor]
RANK, ALPHA = 3, 1.5
SCALE = ALPHA / RANK


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed + sum(shape))) * 0.1


def matrices_of(module: nn.Module) -> list[tuple[str, Any]]:
    return [(name, part) for name, part in weighted(module).items() if isinstance(part, nn.Linear | nn.Conv2d)]


def low_rank(module: Any) -> tuple[Tensors, Forward]:
    if isinstance(module, nn.Linear):
        down, up = random(RANK, module.in_features), random(module.out_features, RANK, seed=1)
        return pair(down, up), lambda x: SCALE * F.linear(F.linear(x, down), up)
    down = random(RANK, module.in_channels, *module.kernel_size)
    up = random(module.out_channels, RANK, 1, 1, seed=1)
    return pair(down, up), lambda x: SCALE * F.conv2d(F.conv2d(x, down, None, module.stride, module.padding), up)


def tucker(module: Any) -> tuple[Tensors, Forward]:
    if isinstance(module, nn.Linear):
        return low_rank(module)
    down, up = random(RANK, module.in_channels, 1, 1), random(module.out_channels, RANK, 1, 1, seed=1)
    mid = random(RANK, RANK, *module.kernel_size, seed=2)

    def forward(x: Tensor) -> Tensor:
        return SCALE * F.conv2d(F.conv2d(F.conv2d(x, down), mid, None, module.stride, module.padding), up)

    return pair(down, up) | {"lora_mid.weight": mid}, forward


def hadamard(module: Any) -> tuple[Tensors, Forward]:
    out, inner = module.weight.shape[0], module.weight[0].numel()
    parts = {f"hada_w{n}_{s}": random(*((out, RANK) if s == "a" else (RANK, inner)), seed=n) for n in (1, 2) for s in "ab"}
    weight = torch.zeros(out, inner)
    for first in range(RANK):  # the product of two sums of outer products, one pair at a time
        for second in range(RANK):
            rows = parts["hada_w1_a"][:, first] * parts["hada_w2_a"][:, second]
            weight += torch.outer(rows, parts["hada_w1_b"][first] * parts["hada_w2_b"][second])
    return parts | {"alpha": torch.tensor(ALPHA)}, whole(module, SCALE * weight)


def kronecker(module: Any) -> tuple[Tensors, Forward]:
    out, inside, *kernel = module.weight.shape
    first = random(2, 2)
    second = random(out // 2, inside // 2, *kernel, seed=1) if inside % 2 == 0 and out % 2 == 0 else None
    if second is None:
        return difference(module)
    rows = [torch.cat([first[i, j] * second for j in range(2)], 1) for i in range(2)]
    return {"lokr_w1": first, "lokr_w2": second, "alpha": torch.tensor(ALPHA)}, whole(module, torch.cat(rows, 0))


def kronecker_of_factors(module: Any) -> tuple[Tensors, Forward]:
    if not isinstance(module, nn.Linear) or module.in_features % 2 or module.out_features % 2:
        return difference(module)
    first, left, right = random(2, 2), random(module.out_features // 2, RANK, seed=1), random(RANK, module.in_features // 2, seed=2)
    rows = [torch.cat([first[i, j] * (left @ right) for j in range(2)], 1) for i in range(2)]
    return {"lokr_w1": first, "lokr_w2_a": left, "lokr_w2_b": right, "alpha": torch.tensor(ALPHA)}, whole(
        module, SCALE * torch.cat(rows, 0)
    )


def difference(module: Any) -> tuple[Tensors, Forward]:
    diff = random(*module.weight.shape)
    return {"diff": diff}, whole(module, diff)


def dora_by_output(module: Any) -> tuple[Tensors, Forward]:
    parts, added = low_rank(module)
    length = random(module.weight.shape[0], *[1] * (module.weight.ndim - 1), seed=5).abs() + 0.5
    changed = module.weight.detach() + as_weight(module, added)
    for row in range(len(changed)):
        changed[row] *= length[row].item() / changed[row].square().sum().sqrt()
    return parts | {"dora_scale": length}, whole(module, changed - module.weight.detach())


def dora_by_input(module: Any) -> tuple[Tensors, Forward]:
    parts, added = low_rank(module)
    out, inside = module.weight.shape[:2]
    if out == inside or inside == 1:
        return dora_by_output(module)
    length = random(1, inside, *[1] * (module.weight.ndim - 2), seed=5).abs() + 0.5
    changed = module.weight.detach() + as_weight(module, added)
    for column in range(inside):
        changed[:, column] *= length[:, column].item() / changed[:, column].square().sum().sqrt()
    return parts | {"dora_scale": length}, whole(module, changed - module.weight.detach())


def pair(down: Tensor, up: Tensor) -> Tensors:
    return {"lora_down.weight": down, "lora_up.weight": up, "alpha": torch.tensor(ALPHA)}


def whole(module: Any, weight: Tensor) -> Forward:
    weight = weight.reshape(module.weight.shape)
    if isinstance(module, nn.Linear):
        return lambda x: F.linear(x, weight)
    return lambda x: F.conv2d(x, weight, None, module.stride, module.padding)


def as_weight(module: Any, added: Forward) -> Tensor:
    """The weight that a linear map has, from what it does to unit inputs."""
    if isinstance(module, nn.Linear):
        return added(torch.eye(module.in_features)).T.contiguous()
    inside, (high, wide) = module.in_channels, module.kernel_size
    units = torch.eye(inside * high * wide).view(-1, inside, high, wide)
    stride, padding = module.stride, module.padding
    module.stride, module.padding = (1, 1), (0, 0)
    try:
        return added(units)[:, :, 0, 0].T.reshape(-1, inside, high, wide).contiguous()
    finally:
        module.stride, module.padding = stride, padding


KINDS = [low_rank, tucker, hadamard, kronecker, kronecker_of_factors, difference, dora_by_output, dora_by_input]


def kohya(part: str, name: str) -> str:
    return f"{part}_{name.replace('.', '_')}"


def lora_of(model: DiffusionModel, kind: Any) -> tuple[Lora, list[tuple[Any, Forward]]]:
    """A LoRA on every linear layer and convolution of the model, in kohya's names, and what it adds to each."""
    tensors: Tensors = {}
    added = []
    parts = {"lora_unet": model.unet, "lora_te_text_model": model.text_encoder}
    for part, network in parts.items():
        for name, module in matrices_of(network):
            entry, forward = kind(module)
            tensors |= {f"{kohya(part, name)}.{key}": tensor for key, tensor in entry.items()}
            added.append((module, forward))
    return read_lora(tensors, {}), added


def sample_input(module: Any) -> Tensor:
    return random(2, module.in_features, seed=9) if isinstance(module, nn.Linear) else random(1, module.in_channels, 5, 5, seed=9)


def plain_file(model: DiffusionModel, **changes: Any) -> Tensors:
    name, module = next((name, module) for name, module in matrices_of(model.unet) if name.endswith("attn2.to_k"))
    tensors = {f"{kohya('lora_unet', name)}.{key}": value for key, value in low_rank(module)[0].items()}
    return tensors | {f"{kohya('lora_unet', name)}.{key}": value for key, value in changes.items()}
