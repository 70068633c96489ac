"""Folders in the layout of diffusers to networks. What their configurations say is checked."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.errors import UserError
from models.families import Family
from models.loading.loading import load
from tests.support import toy_files
from tests.support.loading_toys import CPU, FAMILIES, differing, opened
from tests.support.toy_weights import toy_networks, write_toy_model

pytest_plugins = ("tests.support.loading_toys",)
pytestmark = pytest.mark.usefixtures("no_network")


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_a_folder_of_each_family_gives_the_tensors_of_its_files(family: Family, tmp_path: Path) -> None:
    folder = write_toy_model(tmp_path / "toy", family=family)
    model = load(toy_files.as_checkpoint(folder, family), CPU)
    words = len(json.loads(next(folder.glob("tokenizer*/vocab.json")).read_text("utf-8")))
    assert differing(model, toy_networks(family, words), Tensor.half) == []


def test_weights_in_several_files_are_found_through_their_index(tmp_path: Path) -> None:
    folder = write_toy_model(tmp_path / "toy")
    whole = folder / "unet" / "diffusion_pytorch_model.safetensors"
    tensors, names = load_file(whole), {}
    for number, odd in enumerate((True, False)):
        part = {name: tensors[name] for place, name in enumerate(tensors) if place % 2 == odd}
        save_file(part, folder / "unet" / f"part-{number}.safetensors")
        names |= dict.fromkeys(part, f"part-{number}.safetensors")
    before = opened(folder).unet.state_dict()
    whole.unlink()
    index = whole.with_name("diffusion_pytorch_model.safetensors.index.json")
    index.write_text(json.dumps({"weight_map": names}))
    after = opened(folder).unet.state_dict()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
    index.write_text(json.dumps({"weight_map": {"x": "../../elsewhere.safetensors"}}))
    with pytest.raises(UserError, match="lacks some of its files"):
        opened(folder)


def test_a_folder_with_half_precision_files_only_is_read(tmp_path: Path) -> None:
    folder = write_toy_model(tmp_path / "toy")
    for file in list(folder.rglob("*.safetensors")):
        if file.parent.name in ("unet", "vae", "text_encoder"):
            file.rename(file.with_suffix(".fp16.safetensors"))
    assert opened(folder).unet.dtype == torch.float32


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"_class_name": "os.system"}, "cannot be used here"),
        ({"block_out_channels": [2**24, 2**24]}, "sizes that no such network has"),
        ({"layers_per_block": 10**9}, "sizes that no such network has"),
        ({"down_block_types": ["os", "system"]}, "can be built"),
        ({"cross_attention_dim": 64}, "has the shape"),
    ],
)
def test_a_configuration_is_not_believed(change: dict[str, Any], says: str, tmp_path: Path) -> None:
    folder = write_toy_model(tmp_path / "toy")
    config = folder / "unet" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | change))
    with pytest.raises(UserError, match=says):
        opened(folder)


def test_a_folder_without_weights_or_configuration_says_which_part(tmp_path: Path) -> None:
    folder = write_toy_model(tmp_path / "toy")
    (folder / "vae" / "config.json").write_text("{")
    with pytest.raises(UserError, match=r"vae/config\.json"):
        opened(folder)
    shutil.rmtree(folder / "vae")
    with pytest.raises(UserError, match="vae of “toy” has no weights"):
        opened(folder)
