"""Files of Stable Video Diffusion: recognised by their headers, and read in every form that people share, against the networks they were
written from.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.errors import UserError
from models.identify.identify import identify, identify_folder
from models.kits import KITS
from models.loading.video import load_image_encoder, load_video
from models.memory.device import Device
from models.networks.video import blank_video_unet, blank_video_vae
from models.tensors.header import read_header
from models.tensors.sources import config
from tests.support.toy_files import save, scaled_fp8, to
from tests.support.toy_video import ToyVideo, as_video, original, toy_video, write_file, write_folder

CPU = Device(torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def toy() -> ToyVideo:
    return toy_video()


@pytest.fixture(scope="module")
def file(toy: ToyVideo, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_file(tmp_path_factory.mktemp("video") / "svd_xt.safetensors", toy)


def differing(ours: nn.Module, theirs: nn.Module, most: float = 0.0) -> list[str]:
    found, wanted = ours.state_dict(), theirs.state_dict()
    assert found.keys() == wanted.keys()
    return [name for name in wanted if (found[name].float() - wanted[name].float()).abs().max() > most]


def test_a_single_file_is_read_tensor_by_tensor(toy: ToyVideo, file: Path) -> None:
    model = load_video(as_video(file), CPU)
    assert not differing(model.unet, toy.unet) and not differing(model.vae, toy.vae)
    assert not differing(load_image_encoder(as_video(file), CPU).network, toy.vision)
    assert model.timed_decoder and model.family.latent.scaling_factor == 0.18215


def test_the_encoder_is_the_conditioners_and_not_the_one_beside_the_decoder(toy: ToyVideo, tmp_path: Path) -> None:
    """Both are there, with other numbers. Where the conditioner's is missing, so is what follows an encoder, and that is said."""
    tensors = {name: tensor for name, tensor in original(toy).items() if not name.startswith("conditioner.embedders.3.")}
    with pytest.raises(UserError, match="lacks 2 of its weights, quant_conv"):
        load_video(as_video(save(tmp_path / "cut.safetensors", tensors, toy.metadata)), CPU)


def test_a_decoder_that_knows_no_frames_is_read_as_one(tmp_path: Path) -> None:
    toy = toy_video(plain_decoder=True)
    file = write_file(tmp_path / "svd_xt_image_decoder.safetensors", toy)
    model = load_video(as_video(file), CPU)
    assert not differing(model.vae, toy.vae) and not model.timed_decoder


@pytest.mark.parametrize("change", [to(torch.float16), to(torch.float8_e4m3fn), scaled_fp8(".scale_weight")], ids=["fp16", "fp8", "scaled"])
def test_smaller_numbers_are_read(change: Any, toy: ToyVideo, tmp_path: Path) -> None:
    model = load_video(as_video(save(tmp_path / "svd.safetensors", change(original(toy)), toy.metadata)), CPU)
    assert not differing(model.unet, toy.unet, 0.1) and not differing(model.vae, toy.vae, 0.1)


@pytest.mark.parametrize("plain_decoder", [False, True])
def test_a_folder_of_diffusers_is_read(plain_decoder: bool, tmp_path: Path) -> None:
    toy = toy_video(plain_decoder)
    folder = write_folder(tmp_path / "folder", toy)
    model = load_video(as_video(folder), CPU)
    assert not differing(model.unet, toy.unet) and not differing(model.vae, toy.vae)
    assert not differing(load_image_encoder(as_video(folder), CPU).network, toy.vision)


@pytest.fixture(scope="module")
def whole() -> nn.Module:
    """The UNet in its published size, without weights."""
    return blank_video_unet("UNet", config(KITS / "svd" / "unet.json")).network


def test_the_norms_of_residual_blocks_have_the_originals_epsilon(whole: nn.Module) -> None:
    norms = {name: module.eps for name, module in whole.named_modules() if isinstance(module, nn.GroupNorm) and "res_block" in name}
    assert len(norms) == 88 and set(norms.values()) == {1e-5}
    others = {module.eps for name, module in whole.named_modules() if isinstance(module, nn.GroupNorm) and ".attentions." in name}
    assert others == {1e-6}


def test_the_kit_has_as_many_tensors_and_numbers_as_the_published_file(whole: nn.Module) -> None:
    vae = config(KITS / "svd" / "vae.json")
    counts = [counted(whole), counted(blank_video_vae("VAE", vae, timed=True).network)]
    assert counts == [(1428, 1_524_623_082), (374, 63_579_183 + 34_163_592 + 72)]
    assert counted(blank_video_vae("VAE", vae, timed=False).network.decoder) == (138, 49_490_179)


def counted(network: nn.Module) -> tuple[int, int]:
    tensors: list[Tensor] = list(network.state_dict().values())
    return len(tensors), sum(tensor.numel() for tensor in tensors)


@pytest.mark.parametrize(
    ("name", "variant"),
    [("svd", ""), ("svd_image_decoder", ""), ("svd_xt", "xt"), ("svd_xt_1_1", "xt 1.1"), ("SVD-XT-1.1", "xt 1.1"), ("my video xt", "xt")],
)
def test_a_single_file_is_told_by_its_header_and_its_kind_by_its_name(name: str, variant: str, file: Path) -> None:
    found = identify(read_header(file), name, lambda _: [])
    assert (found.kind, found.family, found.variant) == ("checkpoint", "svd", variant)


@pytest.mark.parametrize(("frames", "name", "variant"), [(14, "video", ""), (25, "video", "xt"), (25, "svd-xt-1-1", "xt 1.1")])
def test_a_folder_is_told_by_its_index_and_its_frames(frames: int, name: str, variant: str, toy: ToyVideo, tmp_path: Path) -> None:
    found = identify_folder(write_folder(tmp_path / name, toy, frames))
    assert (found.kind, found.family, found.variant) == ("checkpoint", "svd", variant)


@pytest.mark.parametrize("lost", ["time_mixer.mix_factor", "conv_out.time_mix_conv.weight", "attn.in_proj_bias"])
def test_a_file_that_lacks_a_tensor_is_refused_before_it_is_read(lost: str, toy: ToyVideo, tmp_path: Path) -> None:
    tensors = original(toy)
    del tensors[next(name for name in tensors if name.endswith(lost))]
    checkpoint = as_video(save(tmp_path / "cut.safetensors", tensors, toy.metadata))
    with pytest.raises(UserError, match="lacks"):
        load_video(checkpoint, CPU)
        load_image_encoder(checkpoint, CPU)
