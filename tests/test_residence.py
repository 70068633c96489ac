"""Networks moved between two tiers, which are both the CPU's memory here: a move still makes a copy, and that is what is looked at."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.memory.offload import HOST, Resident, in_turn


class Runner(nn.Module):
    """Enters its children from a method of its own, as a VAE does, has a buffer, and two layers with one weight between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.first.weight.data = self.first.weight.data.contiguous(memory_format=torch.channels_last)
        self.third = nn.Conv2d(4, 3, 1)
        self.last = nn.Conv2d(4, 3, 1)
        self.last.weight = self.third.weight
        self.second = nn.Sequential(nn.Conv2d(4, 4, 1), self.last)
        self.register_buffer("offset", torch.arange(3.0).view(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        return self.paint(pixels)

    def paint(self, pixels: Tensor) -> Tensor:
        hidden = self.first(pixels)
        return self.second(hidden) + self.third(hidden) + self.offset


@pytest.fixture
def networks() -> list[nn.Module]:
    torch.manual_seed(0)
    return [Runner().requires_grad_(False), Runner().requires_grad_(False), nn.Linear(3, 3).requires_grad_(False)]


def paint(network: nn.Module, pixels: Tensor) -> Tensor:
    assert isinstance(network, Runner)
    return network.paint(pixels)


def contents(networks: list[nn.Module]) -> list[Tensor]:
    return [tensor.clone() for network in networks for tensor in network.state_dict().values()]


def places(networks: list[nn.Module]) -> list[int]:
    return [tensor.data_ptr() for network in networks for tensor in network.state_dict().values()]


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(one, other) for one, other in zip(first, second, strict=True))


def test_there_and_back_is_the_same_bits_in_the_same_parameters(networks: list[nn.Module]) -> None:
    before, parameters = contents(networks), [id(weight) for network in networks for weight in network.parameters()]
    resident = Resident("value", networks, HOST)
    here = places(networks)
    resident.to("device")
    assert not set(places(networks)) & set(here) and same(contents(networks), before)
    resident.leave("device")
    assert places(networks) == here and same(contents(networks), before)
    assert [id(weight) for network in networks for weight in network.parameters()] == parameters


def test_layers_that_share_a_weight_still_share_it_and_it_counts_once(networks: list[nn.Module]) -> None:
    runner = networks[0]
    assert isinstance(runner, Runner)
    resident = Resident(runner, [runner], HOST)
    resident.to("device")
    assert runner.third.weight is runner.last.weight
    assert resident.bytes == 4 * (3 * 4 * 9 + 4 + 4 * 4 + 4 + 4 * 3 + 3 + 3 + 3)


def test_the_layout_in_memory_is_kept(networks: list[nn.Module]) -> None:
    runner = networks[0]
    assert isinstance(runner, Runner)
    Resident(runner, [runner], HOST).to("device")
    assert runner.first.weight.is_contiguous(memory_format=torch.channels_last)


def test_coming_back_from_the_device_alone_copies(networks: list[nn.Module]) -> None:
    before = contents(networks)
    resident = Resident("value", networks, HOST)
    resident.to("device")
    resident.leave("host")
    resident.to("host")
    resident.leave("device")
    assert same(contents(networks), before)


def test_the_copy_on_the_device_is_gone_when_it_has_left(networks: list[nn.Module]) -> None:
    resident = Resident("value", networks, HOST)
    resident.to("device")
    storage = weakref.ref(next(networks[0].parameters()).untyped_storage())
    assert storage() is not None
    resident.leave("device")
    gc.collect()
    assert storage() is None


def test_a_device_that_is_full_changes_nothing(networks: list[nn.Module], monkeypatch: pytest.MonkeyPatch) -> None:
    resident = Resident("value", networks, HOST)
    here, copy, made = places(networks), Tensor.to, []

    def refuse(tensor: Tensor, *arguments: Any, **keywords: Any) -> Tensor:
        made.append(tensor)
        if len(made) == 5:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return copy(tensor, *arguments, **keywords)

    monkeypatch.setattr(Tensor, "to", refuse)
    with pytest.raises(torch.OutOfMemoryError):
        resident.to("device")
    assert places(networks) == here


# ------------------------------------------------------------------------------------------------ in turn


def away(networks: list[nn.Module], here: list[int]) -> list[bool]:
    """Of each network, whether any of its weights is somewhere else than in the host's memory."""
    return [any(tensor.data_ptr() not in here for tensor in network.state_dict().values()) for network in networks]


@pytest.mark.parametrize("layer_by_layer", [False, True])
def test_in_turn_the_results_are_the_same_and_afterwards_everything_is_back(networks: list[nn.Module], layer_by_layer: bool) -> None:
    pixels, here, before = torch.randn(2, 3, 8, 8), places(networks), contents(networks)
    expected = [networks[0](pixels), paint(networks[1], pixels), networks[2](pixels[:, :, 0, :3])]
    with in_turn(networks, HOST, layer_by_layer):
        results = [networks[0](pixels), paint(networks[1], pixels), networks[2](pixels[:, :, 0, :3])]
    assert same(results, expected) and places(networks) == here and same(contents(networks), before)
    assert not any(module._forward_pre_hooks for network in networks for module in network.modules())


@pytest.mark.parametrize("enter", [lambda network, pixels: network(pixels), paint])
def test_one_network_is_on_the_device_at_a_time(networks: list[nn.Module], enter: Callable[[nn.Module, Tensor], Tensor]) -> None:
    pixels, here = torch.randn(1, 3, 8, 8), places(networks)
    with in_turn(networks, HOST):
        assert away(networks, here) == [False, False, False]
        enter(networks[0], pixels)
        assert away(networks, here) == [True, False, False]
        enter(networks[1], pixels)
        assert away(networks, here) == [False, True, False]
        enter(networks[0], pixels)
        assert away(networks, here) == [True, False, False]


def test_layer_by_layer_one_layer_is_there_at_a_time(networks: list[nn.Module]) -> None:
    runner = networks[0]
    assert isinstance(runner, Runner)
    layers = [runner.first, runner.second[0], runner.last, runner.third]
    here = [layer.bias.data_ptr() for layer in layers]
    seen: list[list[bool]] = []
    for layer in layers:
        layer.register_forward_hook(lambda *_: seen.append([layer.bias.data_ptr() != at for layer, at in zip(layers, here, strict=True)]))
    with in_turn([runner], HOST, layer_by_layer=True):
        runner.paint(torch.randn(1, 3, 8, 8))
    assert seen == [[row == column for column in range(4)] for row in range(4)]


@pytest.mark.parametrize("layer_by_layer", [False, True])
def test_a_failure_in_the_middle_brings_everything_back(networks: list[nn.Module], layer_by_layer: bool) -> None:
    here = places(networks)
    with pytest.raises(RuntimeError, match="channels"), in_turn(networks, HOST, layer_by_layer):
        networks[0](torch.randn(1, 5, 8, 8))
    assert places(networks) == here


@pytest.mark.parametrize("layer_by_layer", [False, True])
def test_a_network_that_was_in_another_precision_meanwhile_comes_back_as_it_was(networks: list[nn.Module], layer_by_layer: bool) -> None:
    runner = networks[0].half()
    before = contents([runner])
    pixels = torch.randn(1, 3, 8, 8)
    with in_turn([runner], HOST, layer_by_layer):
        runner(pixels.half())
        runner.float()
        runner(pixels)
        runner.half()
    assert same(contents([runner]), before) and {tensor.dtype for tensor in runner.state_dict().values()} == {torch.float16}


def test_patched_weights_run_in_turn_and_the_original_ones_come_back(networks: list[nn.Module]) -> None:
    runner = networks[0]
    assert isinstance(runner, Runner)
    pixels, original = torch.randn(1, 3, 8, 8), runner.first.weight.data
    patched = original + 1
    runner.first.weight.data = patched
    expected = runner(pixels)
    with in_turn([runner], HOST):
        assert torch.equal(runner(pixels), expected)
    assert runner.first.weight.data_ptr() == patched.data_ptr()
    runner.first.weight.data = original
    assert not torch.equal(runner(pixels), expected)
