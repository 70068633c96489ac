"""Toy models that LoRAs are laid on, and a guard that they are the same bits afterwards."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import nn

from models.diffusion_model import DiffusionModel
from models.families import SDXL
from tests.support.toy_weights import load_toy_model, write_toy_model


@pytest.fixture(scope="module")
def sd1(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("sd1")))


@pytest.fixture(scope="module")
def sdxl(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("sdxl"), family=SDXL), family=SDXL)


@pytest.fixture(autouse=True)
def nothing_is_left_changed(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test does, the weights of the shared models are the same bits, in the same tensors, afterwards."""
    models = [request.getfixturevalue(name) for name in ("sd1", "sdxl") if name in request.fixturenames]
    before = [(weight, weight.data_ptr(), weight.detach().clone()) for model in models for weight in parameters(model)]
    yield
    for weight, place, value in before:
        assert weight.data_ptr() == place
        assert torch.equal(weight, value)


def parameters(model: DiffusionModel) -> Iterator[nn.Parameter]:
    for network in (model.unet, *(encoder.network for encoder in model.text_encoders)):
        yield from network.parameters()
