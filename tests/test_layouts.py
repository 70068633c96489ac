"""Names of tensors: the original layouts against diffusers' names, at full size without weights, and what is recognised in a header."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor

from models.families import FAMILIES, SD1, SDXL, Family
from models.identify.identify import identify
from models.kits import kit
from models.memory.device import mend_torchvision
from models.networks.build import blank_encoder, blank_unet
from models.tensors.header import read_header
from models.tensors.layouts import encoder_names, encoder_tensors, spelt_out, unet_names, unet_tensors, vae_names
from models.tensors.open_clip import to_transformers
from models.tensors.small_tensor import read_values
from models.tensors.sources import config
from tests.support import toy_files
from tests.support.original_names import ldm_unet, open_clip
from tests.support.toy_files import UNET, VAE
from tests.support.toy_weights import toy_networks

FULL_SIZE = list(FAMILIES)


@pytest.fixture(scope="module", params=FULL_SIZE)
def unet(request: pytest.FixtureRequest) -> dict[str, Tensor]:
    """The tensors of a full-size UNet, without numbers."""
    return blank_unet("UNet", config(kit(request.param) / "unet.json")).network.state_dict()


def test_averaged_weights_get_their_dots_back(unet: dict[str, Tensor]) -> None:
    names = list(ldm_unet(unet))
    assert [spelt_out(name.replace(".", "")) for name in names] == names


def test_the_original_names_of_a_full_size_unet_become_those_of_diffusers(unet: dict[str, Tensor]) -> None:
    original = ldm_unet(unet)
    assert len(original) == len(unet)
    family = {320: "sdxl" if "add_embedding.linear_1.weight" in unet else "sd1", 384: "sdxl-refiner", 256: "x4-upscaler"}[
        unet["conv_in.weight"].shape[0]
    ]
    found = unet_tensors(original, config(kit(family) / "unet.json"))
    assert {name: tensor.shape for name, tensor in found.items()} == {name: tensor.shape for name, tensor in unet.items()}
    assert all(found[name] is tensor for name, tensor in unet.items())


def test_a_unet_is_found_under_each_of_its_names() -> None:
    whole = [UNET + "input_blocks.0.0.weight", UNET + "out.0.bias", VAE + "encoder.conv_in.weight", "model_ema.decay"]
    assert dict(unet_names(whole)) == {"input_blocks.0.0.weight": whole[0], "out.0.bias": whole[1]}
    assert dict(unet_names(["input_blocks.0.0.weight", "out.2.bias"])) == {name: name for name in ("input_blocks.0.0.weight", "out.2.bias")}
    averaged = ["model_ema.diffusion_modelinput_blocks00weight", "model_ema.decay"]
    assert dict(unet_names(averaged)) == {"input_blocks.0.0.weight": averaged[0]}
    both = [*averaged, *whole]
    assert dict(unet_names(both)) == dict(unet_names(whole))
    assert unet_names([VAE + "encoder.conv_in.weight"]) == {}


def test_a_vae_is_found_under_each_of_its_names() -> None:
    for prefix in ("", "vae.", VAE):
        assert dict(vae_names([prefix + "encoder.conv_in.weight"])) == {"encoder.conv_in.weight": prefix + "encoder.conv_in.weight"}
    assert vae_names([UNET + "input_blocks.0.0.weight"]) == {}


@pytest.mark.parametrize("level", ["text_model.", ""])
def test_a_text_encoder_is_found_with_and_without_its_upper_level_and_beside_another(level: str) -> None:
    name = f"conditioner.embedders.0.transformer.{level}embeddings.token_embedding.weight"
    other = "conditioner.embedders.1.model.token_embedding.weight"
    names = [name, "conditioner.embedders.0.transformer.text_model.embeddings.position_ids", other]
    assert dict(encoder_names(names, "sdxl", "clip_l")) == {"embeddings.token_embedding.weight": name}
    assert dict(encoder_names(names, "sdxl", "clip_g")) == {"token_embedding.weight": other}


def test_openclip_tensors_are_named_as_diffusers_names_them() -> None:
    mend_torchvision()
    from diffusers.loaders.single_file_utils import convert_open_clip_checkpoint

    networks = toy_networks(SDXL, 200)
    original = open_clip(networks.encoders["clip_g"].state_dict(), spare_layer=False)
    prefixed = toy_files.prefixed("conditioner.embedders.1.model.", original)
    prefixed["conditioner.embedders.1.model.text_projection"] = torch.randn(48, 48)  # theirs takes the encoder's width from it
    theirs = convert_open_clip_checkpoint(networks.encoders["clip_g"], dict(prefixed), "conditioner.embedders.1.model.")
    ours = to_transformers({name.removeprefix("conditioner.embedders.1.model."): tensor for name, tensor in prefixed.items()})
    wanted = {name.removeprefix("text_model."): tensor for name, tensor in theirs.items()}
    assert {name for name in ours if name != "logit_scale"} == set(wanted)
    assert all(torch.equal(tensor, ours[name]) for name, tensor in wanted.items())


def test_openclip_weights_are_not_copied() -> None:
    original = open_clip(toy_networks(SDXL, 200).encoders["clip_g"].state_dict(), spare_layer=False)
    whole = original["transformer.resblocks.0.attn.in_proj_weight"]
    part = to_transformers(original)["encoder.layers.0.self_attn.v_proj.weight"]
    assert part.untyped_storage().data_ptr() == whole.untyped_storage().data_ptr()


@pytest.mark.parametrize("key", ["clip_l", "clip_g"])
def test_an_encoder_with_a_projection_has_its_layers_one_level_down(key: str) -> None:
    expected = blank_encoder("encoder", key, config(kit("sdxl") / f"{key}.json")).network.state_dict()
    flat = {name.removeprefix("text_model."): tensor for name, tensor in expected.items()}
    assert encoder_tensors(flat, expected).keys() == expected.keys()


# ------------------------------------------------------------------------------------------------ every format is recognised

FILES = {family.name: family for family in FAMILIES.values()}


def test_every_format_is_recognised_as_what_it_is(tmp_path: Path) -> None:
    for what, file in toy_files.write_every_format(tmp_path, words=100).items():
        header = read_header(file)
        found = identify(header, file.stem, partial(read_values, file, header))
        kind = {"VAE": "vae", "UNet": "unet"}.get(what.split()[0], "checkpoint")
        assert (what, found.kind, found.supported) == (what, kind, True)
        assert kind == "vae" or found.family == family_of(what).key, what
        assert found.zero_terminal_snr == ("zero SNR" in what)


def family_of(what: str) -> Family:
    return FILES.get(what.split(",")[0], SD1)
