"""VAE files in every layout, and those that do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from models.errors import UserError
from models.families import SD1, Family
from models.loading.loading import load_vae
from tests.support import toy_files
from tests.support.loading_toys import CPU, Toy
from tests.support.original_names import Tensors, ldm_vae
from tests.support.toy_files import VAE, Change
from tests.support.toy_weights import ToyNetworks, write_toy_model

pytest_plugins = ("tests.support.loading_toys",)
pytestmark = pytest.mark.usefixtures("no_network")


VAE_LAYOUTS: dict[str, Change] = {
    "bare": toy_files.only(VAE),
    "prefixed": toy_files.only(VAE, VAE),
    "short prefix": toy_files.only(VAE, "vae."),
    "out of a checkpoint": dict,
    "with the loss of its training": lambda tensors: toy_files.only(VAE, VAE)(tensors) | {"loss.logvar": torch.zeros(1)},
    "float16": lambda tensors: toy_files.to(torch.float16)(toy_files.only(VAE)(tensors)),
}


@pytest.mark.parametrize("layout", VAE_LAYOUTS)
def test_a_vae_in_every_layout_gives_the_tensors_that_were_saved(layout: str, toy: Toy, tmp_path: Path) -> None:
    found = read_vae(tmp_path, VAE_LAYOUTS[layout](toy.tensors), toy)
    assert same(found, toy.networks.vae, torch.float16 if layout == "float16" else torch.float32)


def read_vae(tmp_path: Path, tensors: Tensors, toy: Toy, family: Family = SD1) -> nn.Module:
    file = toy_files.save(tmp_path / "print.safetensors", tensors, toy_files.sizes(toy.networks))
    entry = load_vae(toy_files.as_entry(file, "vae"), family, CPU)
    assert entry.name == "print"
    assert entry.bytes == sum(tensor.nbytes for tensor in entry.network.state_dict().values())
    return entry.network


def same(found: nn.Module, wanted: nn.Module, stored: torch.dtype = torch.float32) -> bool:
    own, other = found.state_dict(), wanted.state_dict()
    return own.keys() == other.keys() and all(torch.equal(tensor, other[name].to(stored).float()) for name, tensor in own.items())


def test_a_vae_in_the_names_of_diffusers_of_today_and_of_old(toy: Toy, tmp_path: Path) -> None:
    tensors = toy.networks.vae.state_dict()
    assert same(read_vae(tmp_path, tensors, toy), toy.networks.vae)
    for new, old in {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}.items():
        tensors = {name.replace(f".{new}.", f".{old}."): tensor for name, tensor in tensors.items()}
    assert any("proj_attn" in name for name in tensors)
    assert same(read_vae(tmp_path, tensors, toy), toy.networks.vae)


def test_a_folder_of_a_vae_and_one_of_a_whole_model_both_give_it(tmp_path: Path) -> None:
    folder = write_toy_model(tmp_path / "toy")
    inside = load_vae(toy_files.as_entry(folder / "vae", "vae"), SD1, CPU).network
    assert same(load_vae(toy_files.as_entry(folder, "vae"), SD1, CPU).network, inside)


def test_a_vae_of_the_starters_sizes_needs_nothing_beside_it(tmp_path: Path) -> None:
    tensors = load_file(Path("models/starter/vae/diffusion_pytorch_model.safetensors"))
    save_file(tensors, tmp_path / "print.safetensors")
    found = load_vae(toy_files.as_entry(tmp_path / "print.safetensors", "vae"), SD1, CPU).network.state_dict()
    assert all(torch.equal(tensor.float(), found[name]) for name, tensor in tensors.items())


def test_a_vae_for_latents_of_sixteen_channels_is_refused(toy: Toy, tmp_path: Path) -> None:
    from diffusers import AutoencoderKL

    config = dict(toy.networks.vae.config) | {"latent_channels": 16, "use_quant_conv": False, "use_post_quant_conv": False}
    del config["_use_default_values"]
    other: Any = AutoencoderKL.from_config(config)
    wide = Toy(SD1, ToyNetworks(toy.networks.unet, other, toy.networks.encoders), {})
    with pytest.raises(UserError, match="latents of 16 channels, and Stable Diffusion 1 has 4"):
        read_vae(tmp_path, ldm_vae(other.state_dict()), wide)


def test_a_vae_of_another_scale_is_refused(toy: Toy, tmp_path: Path) -> None:
    tensors = {name: tensor for name, tensor in toy_files.only(VAE)(toy.tensors).items() if ".down.2." not in name and ".up.2." not in name}
    with pytest.raises(UserError, match="lacks"):
        read_vae(tmp_path, tensors, toy)
