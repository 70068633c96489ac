"""Toys as single files, loaded, and compared tensor by tensor with what was saved; and the fixtures of the tests that do so."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.diffusion_model import DiffusionModel
from models.families import SD1, SD2, SDXL, SDXL_REFINER, X4_UPSCALER, Family
from models.loading.loading import load
from models.memory.device import Device
from tests.support import toy_files
from tests.support.original_names import Tensors
from tests.support.toy_files import Change
from tests.support.toy_weights import ToyNetworks, toy_networks

CPU = Device(torch.device("cpu"), torch.float32)
HALF = Device(torch.device("cpu"), torch.float16)
WORDS = 1000
FAMILIES = (SD1, SD2, SDXL, SDXL_REFINER, X4_UPSCALER)


@dataclass(frozen=True)
class Toy:
    family: Family
    networks: ToyNetworks
    tensors: Tensors  # the whole checkpoint in the original layout


@pytest.fixture(scope="module")
def toys() -> dict[str, Toy]:
    made = {family.key: toy_networks(family, WORDS) for family in FAMILIES}
    return {family.key: Toy(family, made[family.key], toy_files.checkpoint(family, made[family.key])) for family in FAMILIES}


@pytest.fixture
def toy(toys: dict[str, Toy]) -> Toy:
    return toys["sd1"]


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("loading asked for the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def opened(file: Path, family: Family = SD1, device: Device = CPU, **others: Path) -> DiffusionModel:
    return load(toy_files.as_checkpoint(file, family), device, others=others)


def loaded(toy: Toy, tmp_path: Path, change: Change = dict, device: Device = CPU) -> DiffusionModel:
    file = toy_files.save(tmp_path / "toy.safetensors", change(toy.tensors), toy_files.sizes(toy.networks))
    return opened(file, toy.family, device)


def parts(model: DiffusionModel) -> dict[str, nn.Module]:
    return {"unet": model.unet, "vae": model.vae, **{entry.key: entry.network for entry in model.text_encoders}}


def originals(networks: ToyNetworks) -> dict[str, nn.Module]:
    return {"unet": networks.unet, "vae": networks.vae, **networks.encoders}


def differing(model: DiffusionModel, networks: ToyNetworks, through: Callable[[Tensor], Tensor] = lambda tensor: tensor) -> list[str]:
    """Tensors of the loaded model that are not the original ones. `through`: what the file's numbers have gone through."""
    found = {part: network.state_dict() for part, network in parts(model).items()}
    wanted = {part: network.state_dict() for part, network in originals(networks).items()}
    assert {part: set(own) for part, own in found.items()} == {part: set(own) for part, own in wanted.items()}
    pairs = [(f"{part} {name}", tensor, found[part][name]) for part, own in wanted.items() for name, tensor in own.items()]
    return [name for name, tensor, other in pairs if not torch.equal(through(tensor).to(other.dtype), other)]
