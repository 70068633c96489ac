"""Hypernetworks: small networks in front of the keys and values of attention, x -> x + strength * network(x).

The format is A1111's: for each width two networks, the first for keys, the second for values, as `{width}.{0|1}.linear.{i}.weight`. A
matrix is a linear layer and a vector a layer norm; activations have no tensors and are told by the metadata.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from models.errors import UserError
from models.networks.modules import named_modules
from models.tensors.add_on_names import HYPERNETWORK
from models.tensors.reading import all_finite

if TYPE_CHECKING:
    from models.diffusion_model import DiffusionModel

Activation = Callable[[Tensor], Tensor]
ACTIVATIONS: Mapping[str, Activation | None] = {  # by the names in A1111's files
    "": None, "none": None, "linear": None, "identity": None, "relu": functional.relu, "leakyrelu": functional.leaky_relu,
    "elu": functional.elu, "swish": functional.hardswish, "hardswish": functional.hardswish, "tanh": torch.tanh, "sigmoid": torch.sigmoid,
    "silu": functional.silu, "gelu": functional.gelu, "mish": functional.mish, "softplus": functional.softplus, "selu": functional.selu,
    "celu": functional.celu, "relu6": functional.relu6, "hardtanh": functional.hardtanh, "softsign": functional.softsign,
    "hardsigmoid": functional.hardsigmoid, "logsigmoid": functional.logsigmoid, "tanhshrink": functional.tanhshrink,
    "softshrink": functional.softshrink, "hardshrink": functional.hardshrink,
}  # fmt: skip
MOST_LAYERS = 64
SIDES = ("to_k", "to_v")


@dataclass(frozen=True)
class Layer:
    """A linear layer (weight is a matrix) or a layer norm (weight is a vector)."""

    weight: Tensor
    bias: Tensor | None
    activation: Activation | None = None  # follows it

    def __call__(self, x: Tensor) -> Tensor:
        if self.weight.ndim == 1:
            x = functional.layer_norm(x, self.weight.shape, self.weight, self.bias)
        else:
            x = functional.linear(x, self.weight, self.bias)
        return self.activation(x) if self.activation else x

    def to(self, device: torch.device, dtype: torch.dtype) -> Layer:
        return replace(self, weight=self.weight.to(device, dtype), bias=None if self.bias is None else self.bias.to(device, dtype))


@dataclass(frozen=True)
class Hypernetwork:
    networks: Mapping[tuple[int, str], tuple[Layer, ...]]  # width of what it reads, "to_k" or "to_v" -> its layers
    name: str = ""

    @property
    def title(self) -> str:
        return f"“{self.name}”" if self.name else "This hypernetwork"


def read_hypernetwork(tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None, name: str = "") -> Hypernetwork:
    """Raises `UserError` when the tensors are not those of a hypernetwork, or its layers do not fit one another."""
    facts, title = metadata or {}, f"“{name}”" if name else "This hypernetwork"
    activation_name = facts.get("activation_func", "").lower()
    if activation_name not in ACTIVATIONS:
        raise UserError(f"{title} uses the activation “{activation_name[:40]}”, which Atelier does not know. Choose another one.")
    at_the_end = facts.get("activate_output", "true").lower() not in ("false", "0")
    networks = {
        (width, side): _layers(found, width, ACTIVATIONS[activation_name], at_the_end, title)
        for (width, side), found in _sorted(tensors).items()
    }
    if not networks:
        raise UserError(f"{title} holds no networks. It is not a hypernetwork; choose another file.")
    return Hypernetwork(networks, name)


def _sorted(tensors: Mapping[str, Tensor]) -> dict[tuple[int, str], dict[int, dict[str, Tensor]]]:
    found: dict[tuple[int, str], dict[int, dict[str, Tensor]]] = {}
    for key, tensor in tensors.items():
        if match := HYPERNETWORK.fullmatch(key):
            place = int(match[1]), SIDES[int(match[2])]
            found.setdefault(place, {}).setdefault(int(match[3]), {})[match[4]] = tensor
    return found


def _layers(
    found: Mapping[int, Mapping[str, Tensor]], width: int, activation: Activation | None, at_the_end: bool, title: str
) -> tuple[Layer, ...]:
    """In order. Each linear layer but the last is followed by the activation, and the last too if the file says so."""
    if len(found) > MOST_LAYERS or any("weight" not in parts for parts in found.values()):
        raise UserError(f"{title} is damaged: layers for width {width} are missing. Get the file again.")
    layers = [Layer(found[number]["weight"], found[number].get("bias")) for number in sorted(found)]
    linear = [place for place, layer in enumerate(layers) if layer.weight.ndim == 2]
    for place in linear if at_the_end else linear[:-1]:
        layers[place] = replace(layers[place], activation=activation)
    _check(layers, width, title)
    return tuple(layers)


def _check(layers: Sequence[Layer], width: int, title: str) -> None:
    """From `width` numbers to `width` numbers, and all of them finite."""
    now = width
    for layer in layers:
        fits = layer.weight.ndim in (1, 2) and layer.weight.shape[-1] == now
        now = layer.weight.shape[0] if layer.weight.ndim else 0
        fits = fits and (layer.bias is None or layer.bias.shape == (now,))
        if not fits or not all(all_finite(part) for part in (layer.weight, layer.bias) if part is not None):
            raise UserError(f"{title} is damaged: a layer for width {width} does not fit the others. Get the file again.")
    if now != width:
        raise UserError(f"{title} is damaged: its layers for width {width} end in {now} numbers. Get the file again.")


@contextmanager
def active(model: DiffusionModel, uses: Sequence[tuple[Hypernetwork, float]]) -> Generator[None]:
    """The UNet's attention reads through these networks, one after another, for the length of the block. No weight changes.

    Raises `UserError` when one of them has no network for what this model's attention to the words reads.
    """
    with ExitStack() as stack:
        for hypernetwork, strength in uses:
            _check_width(model, hypernetwork)
            for name, module in named_modules(model.unet):
                if isinstance(module, nn.Linear) and (layers := _of(hypernetwork, name, module)):
                    moved = [layer.to(model.device.torch_device, model.device.dtype) for layer in layers]
                    stack.callback(module.register_forward_pre_hook(partial(_through, moved, strength)).remove)
        yield


def _check_width(model: DiffusionModel, hypernetwork: Hypernetwork) -> None:
    width = model.unet.config["cross_attention_dim"]
    widths = sorted({own for own, _ in hypernetwork.networks})
    if not any(own == width for own in widths):
        made_for = f"{hypernetwork.title} was made for vectors of {', '.join(map(str, widths))} numbers"
        raise UserError(f"{made_for}, and this model reads {width}. Choose another one.")


def _of(hypernetwork: Hypernetwork, name: str, module: nn.Linear) -> tuple[Layer, ...]:
    """What stands before this module: nothing but for the keys and values of attention, told apart by the width that they read."""
    side = name.rpartition(".")[2]
    return hypernetwork.networks.get((module.in_features, side), ()) if side in SIDES else ()


def _through(layers: Sequence[Layer], strength: float, _: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    x = changed = inputs[0]
    for layer in layers:
        changed = layer(changed)
    return (x + strength * changed, *inputs[1:])
