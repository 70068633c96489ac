"""Hypernetworks: what they add to keys and values, against the same network written out; and nothing stays behind."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from models.patches.hypernetworks import active, read_hypernetwork
from tests.support.toy_weights import load_toy_model, write_toy_model

WIDTH = 32  # of the toy's text vectors, and of its first block


def random(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 0.2


def file(norm: bool = False) -> dict[str, Tensor]:
    """Two layers, 1-2-1, for keys and values; behind the first an activation takes a number, and a layer norm if asked for."""
    tensors = {}
    for side in (0, 1):
        second = 3 if norm else 2
        tensors |= {
            f"{WIDTH}.{side}.linear.0.weight": random(2 * WIDTH, WIDTH, seed=side),
            f"{WIDTH}.{side}.linear.0.bias": random(2 * WIDTH, seed=side + 2),
            f"{WIDTH}.{side}.linear.{second}.weight": random(WIDTH, 2 * WIDTH, seed=side + 4),
            f"{WIDTH}.{side}.linear.{second}.bias": random(WIDTH, seed=side + 6),
        }
        if norm:
            layer = f"{WIDTH}.{side}.linear.2"
            tensors |= {f"{layer}.weight": torch.full((2 * WIDTH,), 0.5), f"{layer}.bias": torch.ones(2 * WIDTH)}
    return tensors


def written_out(tensors: dict[str, Tensor], side: int, x: Tensor, norm: bool) -> Tensor:
    start = f"{WIDTH}.{side}.linear."
    hidden = F.relu(x @ tensors[start + "0.weight"].T + tensors[start + "0.bias"])
    if norm:
        hidden = (hidden - hidden.mean(-1, keepdim=True)) / (hidden.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt() * 0.5 + 1
    last = "3" if norm else "2"
    return hidden @ tensors[f"{start}{last}.weight"].T + tensors[f"{start}{last}.bias"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("sd1")))


def attention_layers(model: DiffusionModel) -> list[tuple[str, Any]]:
    return [(name, part) for name, part in model.unet.named_modules() if name.endswith((".to_k", ".to_v"))]


@pytest.mark.parametrize("norm", [False, True])
@torch.no_grad()
def test_keys_and_values_read_through_the_network(norm: bool, model: DiffusionModel) -> None:
    tensors = file(norm)
    network = read_hypernetwork(tensors, {"activation_func": "relu", "activate_output": "False"})
    for name, layer in attention_layers(model):
        x = random(2, 5, layer.in_features, seed=9)
        side = int(name.endswith("to_v"))
        through = x + 0.7 * written_out(tensors, side, x, norm) if layer.in_features == WIDTH else x
        wanted = layer(through)
        with active(model, [(network, 0.7)]):
            torch.testing.assert_close(layer(x), wanted, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_afterwards_and_after_a_failure_nothing_is_left(model: DiffusionModel) -> None:
    network = read_hypernetwork(file(), {"activation_func": "relu", "activate_output": "False"})
    with pytest.raises(RuntimeError), active(model, [(network, 1.0), (network, 0.5)]):
        raise RuntimeError
    assert not any(layer._forward_pre_hooks for _, layer in attention_layers(model))


@pytest.mark.parametrize(
    ("tensors", "metadata"),
    [
        ({}, {}),
        ({"x": torch.zeros(2)}, {}),
        (file(), {"activation_func": "__import__"}),
        ({key: value * torch.nan for key, value in file().items()}, {}),
    ],
)
def test_what_is_no_sound_hypernetwork_is_refused(tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    with pytest.raises(UserError):
        read_hypernetwork(tensors, metadata)
