"""Layers whose weights stay in eight bits (fp8), half of float16's memory, and are raised at each call to what is computed with.

A raised weight has the same bits as one that was raised when it was read, so pictures are the same. What changes a weight for a while (a
LoRA) puts the changed one in as an ordinary weight, and takes it away again.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.networks.modules import named_modules
from models.tensors.fp8 import STORED, raised

SCALE = "weight_scale"  # the buffer with the scale of the weight, or None


class EightBitLinear(nn.Linear):
    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input, weight_of(self, input.dtype), self.bias)


class EightBitConv(nn.Conv2d):
    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, weight_of(self, input.dtype), self.bias)


LAYERS: Mapping[type[nn.Module], type[nn.Module]] = {nn.Linear: EightBitLinear, nn.Conv2d: EightBitConv}


def weight_of(module: nn.Linear | nn.Conv2d, dtype: torch.dtype) -> Tensor:
    """The weight that a layer computes with."""
    return raised_at(module, module.weight, dtype)


def raised_at(module: nn.Module, weight: Tensor, dtype: torch.dtype) -> Tensor:
    """`weight`: that of the module, or one that it had."""
    return raised(weight, dtype, getattr(module, SCALE, None)) if weight.dtype in STORED else weight


def settle(network: nn.Module, scales: Mapping[str, Tensor], dtype: torch.dtype) -> None:
    """Makes a network that was filled with weights in eight bits work: layers raise theirs, what else is in eight bits is raised for good.

    `scales`: by the names of the weights, where they have one.
    """
    for path, module in named_modules(network):
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.dtype in STORED:
                factor = scales.get(f"{path}.{name}" if path else name)
                if name == "weight" and type(module) in LAYERS:
                    _become(module, factor)
                else:
                    parameter.data = raised(parameter.data, dtype, factor)


def lend(owner: nn.Module, borrower: nn.Module) -> None:
    """A network that has weights of another one raises them as that does. Layers of the same name are the same."""
    scales = {path: getattr(module, SCALE) for path, module in named_modules(owner) if isinstance(module, EightBitLinear | EightBitConv)}
    for path, module in named_modules(borrower):
        if path in scales and isinstance(module, nn.Linear | nn.Conv2d):
            _become(module, scales[path])


def _become(module: nn.Module, factor: Tensor | None) -> None:
    """A layer of a class of its own, which raises by itself, stays of that class."""
    module.__class__ = LAYERS.get(type(module), type(module))
    module.register_buffer(SCALE, factor, persistent=False)
