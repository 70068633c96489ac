"""Control-LoRAs (Stability AI, stabilityai/control-lora): a ControlNet as the difference of small rank from the first half of a UNet.

Each weight is W + up @ down with W the UNet's own; what the UNet does not have is there in full. The UNet's weights are borrowed and
added to at each call, so that only the small matrices take memory, and a LoRA on the UNet acts on both, whenever it comes and goes.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.control.names import MIDDLE, control_tensors
from models.errors import UserError
from models.memory.device import mend_torchvision
from models.networks.build import Config, arguments, built, essential
from models.networks.eight_bits import lend, weight_of

if TYPE_CHECKING:
    from diffusers.models.controlnets.controlnet import ControlNetModel
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

UP, DOWN = "up", "down"
OWN = ("controlnet_cond_embedding.", "controlnet_down_blocks.", MIDDLE)  # what no UNet has


class ControlLora(nn.Module):
    """The tensors of one file, by diffusers' names: `module.weight` in full, or `module.up` and `module.down`."""

    def __init__(self, tensors: Mapping[str, Tensor], sizes: Config, part: str) -> None:
        super().__init__()
        self.by_name = {name: nn.Parameter(tensor, requires_grad=False) for name, tensor in tensors.items()}
        self.kept = nn.ParameterList(self.by_name.values())  # so that they move with the module
        self.sizes = sizes  # of the layers that read the picture
        self.part = part


class LowRankLinear(nn.Linear):
    """A linear layer with the weight W + up @ down."""

    up: nn.Parameter
    down: nn.Parameter

    def forward(self, input: Tensor) -> Tensor:
        return functional.linear(input, _summed(weight_of(self, input.dtype), self.up, self.down), self.bias)


class LowRankConv(nn.Conv2d):
    """A convolution with the weight W + up @ down. Of a UNet that reads a mask or a depth map too, the first channels are the latents."""

    up: nn.Parameter
    down: nn.Parameter

    def forward(self, input: Tensor) -> Tensor:
        return self._conv_forward(input, _summed(weight_of(self, input.dtype)[:, : self.in_channels], self.up, self.down), self.bias)


def _summed(weight: Tensor, up: Tensor, down: Tensor) -> Tensor:
    return weight + (up.flatten(1) @ down.flatten(1)).view(weight.shape).to(weight.dtype)


def blank_of(part: str, sizes: Config) -> ControlNetModel:
    """A ControlNet without weights."""
    mend_torchvision()
    from diffusers.models.controlnets.controlnet import ControlNetModel

    return built(part, ControlNetModel, sizes, arguments(ControlNetModel))


def named(tensors: Mapping[str, Tensor], network: ControlNetModel) -> dict[str, Tensor]:
    return control_tensors(tensors, network, (UP, DOWN))


def check_lora(part: str, found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Raises `UserError` unless each pair makes a weight of its shape, and all that a UNet does not have is there."""
    missing = [name for name in expected if name.startswith(OWN) and name not in found]
    missing += [name for name in found if name.endswith(f".{UP}") and _partner(name) not in found]
    missing += [name for name in found if name.endswith(f".{DOWN}") and _stem(name) + UP not in found]
    if missing:
        raise UserError(f"The {part} lacks {len(missing)} of its weights, {missing[0]} among them. Copy the model again.")
    for name, tensor in found.items():
        target = name if name in expected else f"{_stem(name)}weight"
        if target not in expected or not _fits(name, found, expected[target]):
            found_shape = f"In the {part}, {name} has the shape {tuple(tensor.shape)}"
            raise UserError(f"{found_shape}. It was made for another model; choose one that fits.")


def _fits(name: str, found: Mapping[str, Tensor], weight: Tensor) -> bool:
    if name.endswith(f".{DOWN}"):
        return True  # its partner is asked
    if name.endswith(f".{UP}"):
        return _makes(found[name], found[_partner(name)], weight)
    return essential(found[name].shape) == essential(weight.shape)


def _makes(up: Tensor, down: Tensor, weight: Tensor) -> bool:
    """Whether up @ down has the weight's shape."""
    if up.ndim < 2 or down.ndim < 2:
        return False
    rank = prod(up.shape[1:])
    return up.shape[0] == weight.shape[0] and rank == down.shape[0] and prod(down.shape[1:]) == prod(weight.shape[1:])


def _partner(name: str) -> str:
    return _stem(name) + DOWN


def _stem(name: str) -> str:
    return name.rpartition(".")[0] + "."


def joined(lora: ControlLora, unet: UNet2DConditionModel) -> nn.Module:
    """A ControlNet whose weights are the file's, or the UNet's own, or the UNet's with a difference. Nothing is copied.

    Raises `UserError` when the file was made for a UNet of other sizes.
    """
    network = blank_of(lora.part, {**unet.config, **lora.sizes})
    expected = network.state_dict()
    check_lora(lora.part, lora.by_name, expected)
    for name in [name for name in lora.by_name if name.endswith(f".{UP}")]:
        _put_low_rank(network, name.removesuffix(f".{UP}"), lora.by_name)
    given = dict(unet.named_parameters())
    for name, outline in expected.items():
        _put(network, name, lora.by_name[name] if name in lora.by_name else _borrowed(lora, name, given, outline))
    lend(unet, network)
    return network.eval()


def _put_low_rank(network: nn.Module, path: str, tensors: Mapping[str, nn.Parameter]) -> None:
    before = network.get_submodule(path)
    with torch.device("meta"):
        layer = _low_rank(before)
    layer.up, layer.down = tensors[f"{path}.{UP}"], tensors[f"{path}.{DOWN}"]
    parent, _, last = path.rpartition(".")
    setattr(network.get_submodule(parent), last, layer)


def _low_rank(layer: nn.Module) -> LowRankLinear | LowRankConv:
    has_bias = any(name == "bias" for name, _ in layer.named_parameters(recurse=False))
    if isinstance(layer, nn.Linear):
        return LowRankLinear(layer.in_features, layer.out_features, has_bias)
    assert isinstance(layer, nn.Conv2d), "the shapes have been checked, and no other layer has such a weight"
    padding = layer.padding if isinstance(layer.padding, str) else _pair(layer.padding)
    return LowRankConv(layer.in_channels, layer.out_channels, _pair(layer.kernel_size), _pair(layer.stride), padding, bias=has_bias)


def _pair(sides: tuple[int, ...]) -> tuple[int, int]:
    height, width = sides
    return height, width


def _borrowed(lora: ControlLora, name: str, given: Mapping[str, nn.Parameter], outline: Tensor) -> nn.Parameter:
    """The UNet's parameter itself, so that it is the same wherever that is moved."""
    found = given.get(name)
    has_difference = f"{_stem(name)}{UP}" in lora.by_name and name.endswith(".weight")
    if found is None or not _is_as_large(found, outline, has_difference):
        raise UserError(f"The {lora.part} was made for another model: there is no {name} of the same shape. Choose one that fits.")
    return found


def _is_as_large(found: Tensor, outline: Tensor, has_difference: bool) -> bool:
    wider = has_difference and found.ndim == 4 and found.shape[1] >= outline.shape[1]
    return found.shape == outline.shape or (wider and found.shape[0] == outline.shape[0] and found.shape[2:] == outline.shape[2:])


def _put(network: nn.Module, name: str, parameter: nn.Parameter) -> None:
    path, _, last = name.rpartition(".")
    setattr(network.get_submodule(path), last, parameter)
