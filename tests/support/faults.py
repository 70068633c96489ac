"""The real runner on toy files that a test may damage: what tests of faults share."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from models.library.catalog import STARTER, Catalog
from models.memory.device import Device
from models.memory.forecast import Machine
from pipelines.images.store import Inputs
from pipelines.jobs.events import Picture
from pipelines.requests.request import LoraUse, Request, TextToImage
from pipelines.runtime.runner import ModelRunner
from tests.support.toy_weights import CPU, write_toy_model

GB = 10**9
HOST_ALONE = Machine(host=GB)
CARD = Machine(host=GB, device=GB)
REQUEST = TextToImage(prompt="a red house", steps=3, seed=5, width=64, height=64)


@dataclass
class Files:
    """The starter, and a models folder with a second checkpoint and a LoRA."""

    starter: Path
    models: Path

    @property
    def other(self) -> Path:
        return self.models / "checkpoints" / "other" / "unet" / "diffusion_pytorch_model.safetensors"

    def catalog(self) -> Catalog:
        return Catalog(self.starter, [self.models])


@pytest.fixture(scope="module")
def originals(tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("files")
    write_toy_model(folder / "starter")
    write_toy_model(folder / "models" / "checkpoints" / "other", seed=1)
    (folder / "models" / "loras").mkdir()
    block = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn2_to_k"
    torch.manual_seed(2)
    tensors = {f"{block}.lora_down.weight": torch.randn(4, 32), f"{block}.lora_up.weight": torch.randn(32, 4)}
    save_file(tensors, folder / "models" / "loras" / "ink.safetensors")
    return Files(folder / "starter", folder / "models")


@pytest.fixture
def files(originals: Files, tmp_path: Path) -> Files:
    """A copy that a test may damage."""
    shutil.copytree(originals.starter, tmp_path / "starter")
    shutil.copytree(originals.models, tmp_path / "models")
    return Files(tmp_path / "starter", tmp_path / "models")


@pytest.fixture
def runner(files: Files) -> ModelRunner:
    return open_toys(files)


def open_toys(files: Files, machine: Machine = HOST_ALONE, device: Device = CPU) -> ModelRunner:
    return ModelRunner(files.catalog(), device, machine, Inputs(files.models.parent / "inputs"))


def other(runner: ModelRunner) -> str:
    return next(entry.id for entry in runner.catalog.checkpoints() if entry.id != STARTER)


def ink(runner: ModelRunner) -> LoraUse:
    return LoraUse(id=runner.catalog.models("lora")[0].id)


def draw(runner: ModelRunner, request: Request = REQUEST) -> list[bytes]:
    return [picture.image.tobytes() for picture in pictures(runner, request)]


def pictures(runner: ModelRunner, request: Request = REQUEST) -> list[Picture]:
    return [event for batch in runner.batches(request) for event in batch if isinstance(event, Picture)]


@pytest.fixture
def expected(originals: Files) -> list[bytes]:
    """What a fresh process draws."""
    return draw(open_toys(originals))
