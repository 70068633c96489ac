"""Files to networks: every tensor arrives where it belongs, and what is wrong is said by name before anything is read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from models.errors import UserError
from models.families import SD1, SDXL, Family
from models.kits import kit
from models.loading.loading import load, training_signal, zero_terminal_snr
from tests.support import toy_files
from tests.support.loading_toys import CPU, FAMILIES, HALF, Toy, differing, loaded, opened, parts
from tests.support.toy_files import UNET, VAE, Change

pytest_plugins = ("tests.support.loading_toys",)
pytestmark = pytest.mark.usefixtures("no_network")


# ------------------------------------------------------------------------------------------------ layouts


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.key)
def test_a_single_file_of_each_family_gives_the_tensors_that_were_saved(family: Family, toys: dict[str, Toy], tmp_path: Path) -> None:
    model = loaded(toys[family.key], tmp_path)
    assert differing(model, toys[family.key].networks) == []
    assert model.family.key == family.key
    assert model.prediction_type == ("v_prediction" if family.noise_levels else "epsilon")


ROUNDED = {"float16": torch.float16, "bfloat16": torch.bfloat16, "fp8": torch.float8_e4m3fn}


@pytest.mark.parametrize("layout", [name for name in toy_files.SD1_LAYOUTS if not name.startswith("fp8 ")])
def test_every_layout_of_a_checkpoint_gives_the_tensors_that_were_saved(layout: str, toy: Toy, tmp_path: Path) -> None:
    stored = ROUNDED.get(layout, torch.float32)
    model = loaded(toy, tmp_path, toy_files.SD1_LAYOUTS[layout])
    assert differing(model, toy.networks, lambda tensor: tensor.to(stored)) == []


@pytest.mark.parametrize("ending", [".scale_weight", ".weight_scale"])
def test_weights_in_eight_bits_are_multiplied_with_their_scales(ending: str, toy: Toy, tmp_path: Path) -> None:
    changed = toy_files.scaled_fp8(ending)(toy.tensors)
    model = loaded(toy, tmp_path, lambda _: changed)
    plain = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight"
    name = UNET + "middle_block.1.transformer_blocks.0.attn1.to_q.weight"
    wanted = changed[name].float() * changed[name.removesuffix(".weight") + ending]
    found, original = model.unet.state_dict()[plain], toy.networks.unet.state_dict()[plain]
    assert torch.equal(found, wanted)
    assert (found - original).abs().max() <= 0.04 * original.abs().max()  # half a step of three bits


def test_a_scale_for_each_row_is_laid_along_the_rows(toy: Toy, tmp_path: Path) -> None:
    name = "middle_block.1.transformer_blocks.0.attn1.to_q"
    rows = len(toy.tensors[f"{UNET}{name}.weight"])
    model = loaded(toy, tmp_path, lambda tensors: tensors | {f"{UNET}{name}.weight_scale": torch.arange(rows).float()[:, None]})
    own = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight"
    assert torch.equal(model.unet.state_dict()[own], toy.networks.unet.state_dict()[own] * torch.arange(rows)[:, None])


def test_float16_stays_float16_where_the_device_computes_with_it(toy: Toy, tmp_path: Path) -> None:
    model = loaded(toy, tmp_path, toy_files.to(torch.float16), HALF)
    assert {weight.dtype for network in parts(model).values() for weight in network.parameters()} == {torch.float16}
    assert differing(model, toy.networks, Tensor.half) == []


@pytest.mark.parametrize("channels", [9, 8, 5])
def test_models_for_inpainting_editing_and_depth_say_their_channels_themselves(channels: int, toy: Toy, tmp_path: Path) -> None:
    wide = torch.randn(32, channels, 3, 3)
    model = loaded(toy, tmp_path, lambda tensors: tensors | {UNET + "input_blocks.0.0.weight": wide})
    assert model.unet.config["in_channels"] == channels
    assert torch.equal(model.unet.conv_in.weight, wide)


def test_a_network_that_is_told_the_guidance_scale_has_a_place_for_it(toy: Toy, tmp_path: Path) -> None:
    own = {UNET + "time_embed.cond_proj.weight": torch.randn(32, 24)}
    model = loaded(toy, tmp_path, lambda tensors: tensors | own)
    assert torch.equal(model.unet.state_dict()["time_embedding.cond_proj.weight"], own[UNET + "time_embed.cond_proj.weight"])


@pytest.mark.parametrize("layout", ["prefixed", "bare", "diffusers"])
def test_a_unet_in_a_file_of_its_own_draws_with_the_other_parts_of_another_file(layout: str, toy: Toy, tmp_path: Path) -> None:
    sizes = toy_files.sizes(toy.networks)
    whole = toy_files.save(tmp_path / "whole.safetensors", toy.tensors, sizes)
    changed = {"prefixed": toy_files.only(UNET, UNET), "bare": toy_files.only(UNET), "diffusers": lambda _: toy.networks.unet.state_dict()}
    file = toy_files.save(tmp_path / "unet.safetensors", changed[layout](toy.tensors), sizes)
    assert differing(opened(file, vae=whole, clip_l=whole), toy.networks) == []


def test_a_text_encoder_and_a_vae_in_files_of_their_own_take_their_places(toy: Toy, tmp_path: Path) -> None:
    sizes = toy_files.sizes(toy.networks)
    unet = toy_files.save(tmp_path / "unet.safetensors", toy_files.only(UNET, UNET)(toy.tensors), sizes)
    vae = toy_files.save(tmp_path / "vae.safetensors", toy.networks.vae.state_dict(), sizes)
    own = toy_files.prefixed("text_model.", toy.networks.encoders["clip_l"].state_dict())
    encoder = toy_files.save(tmp_path / "clip_l.safetensors", own, sizes)
    assert differing(opened(unet, vae=vae, clip_l=encoder), toy.networks) == []


@pytest.mark.parametrize(("prefix", "what"), [(VAE, "no VAE"), ("cond_stage_model.", "no text encoder"), (UNET, "no UNet")])
def test_a_file_without_one_of_the_networks_says_which(prefix: str, what: str, toy: Toy, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=what):
        loaded(toy, tmp_path, toy_files.without(prefix))


# ------------------------------------------------------------------------------------------------ what is wrong with a file


def dropped(*names: str) -> Change:
    return lambda tensors: {name: tensor for name, tensor in tensors.items() if name not in names}


LAYER = UNET + "input_blocks.1.0.in_layers.2.weight"
VAE_LAYER = VAE + "decoder.conv_in.weight"


def test_missing_weights_are_named(toy: Toy, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"UNet of “toy” lacks 1 of its weights, down_blocks\.0\.resnets\.0\.conv1\.weight"):
        loaded(toy, tmp_path, dropped(LAYER))
    with pytest.raises(UserError, match=r"UNet of “toy” lacks 3 of its weights"):
        loaded(toy, tmp_path, dropped(LAYER, UNET + "out.2.bias", UNET + "time_embed.0.weight"))
    with pytest.raises(UserError, match=r"VAE of “toy” lacks 1 of its weights, decoder\.conv_in\.weight"):
        loaded(toy, tmp_path, dropped(VAE_LAYER))


def test_a_weight_of_the_wrong_shape_is_named(toy: Toy, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"conv1\.weight has the shape \(32, 32, 5, 5\) instead of \(32, 32, 3, 3\)"):
        loaded(toy, tmp_path, lambda tensors: tensors | {LAYER: torch.zeros(32, 32, 5, 5)})


def test_quantised_weights_are_refused_by_name(toy: Toy, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"in_layers\.2\.weight is stored as I8"):
        loaded(toy, tmp_path, lambda tensors: tensors | {LAYER: torch.zeros(32, 32, 3, 3, dtype=torch.int8)})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_numbers_that_are_not_finite_are_refused_by_name(value: float, dtype: torch.dtype, toy: Toy, tmp_path: Path) -> None:
    broken = toy.tensors[LAYER].clone()
    broken[3, 1, 2, 0] = value
    with pytest.raises(UserError, match=r"in_layers\.2\.weight holds numbers that are not finite"):
        loaded(toy, tmp_path, lambda tensors: toy_files.to(dtype)(tensors | {LAYER: broken}))


def test_weights_that_nothing_needs_are_reported_in_the_log(toy: Toy, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    loaded(toy, tmp_path)
    assert caplog.text == ""
    loaded(toy, tmp_path, lambda tensors: tensors | {UNET + "surprise.weight": torch.zeros(3)})
    assert "1 weights that are not used, surprise.weight" in caplog.text


@pytest.mark.parametrize("share", [0.5, 0.9999])
def test_a_file_that_is_cut_short_is_refused(share: float, toy: Toy, tmp_path: Path) -> None:
    file = toy_files.save(tmp_path / "toy.safetensors", toy.tensors, toy_files.sizes(toy.networks))
    with file.open("r+b") as stream:
        stream.truncate(int(file.stat().st_size * share))
    with pytest.raises(UserError, match="incomplete"):
        opened(file)


def test_what_happens_to_a_file_later_does_not_touch_what_was_read(toy: Toy, tmp_path: Path) -> None:
    model = loaded(toy, tmp_path)
    file = tmp_path / "toy.safetensors"
    with file.open("r+b") as stream:
        stream.write(b"\0" * file.stat().st_size)
        stream.truncate(100)
    file.unlink()
    assert differing(model, toy.networks) == []
    assert str(file) not in mapped_files()


def mapped_files() -> str:
    maps = Path("/proc/self/maps")
    return maps.read_text("utf-8") if maps.exists() else ""


# ------------------------------------------------------------------------------------------------ noise


def test_the_zero_terminal_signal_is_that_of_diffusers() -> None:
    from diffusers import EulerDiscreteScheduler

    config = json.loads((kit("sdxl") / "scheduler.json").read_text("utf-8"))
    theirs: Any = EulerDiscreteScheduler.from_config(config, rescale_betas_zero_snr=True)
    ours = zero_terminal_snr(training_signal(config))
    assert torch.allclose(ours.float(), theirs.alphas_cumprod, rtol=1e-3, atol=1e-7)
    assert 0 < ours[-1] < 1e-7


def test_a_checkpoint_says_its_prediction_and_its_noise(toy: Toy, tmp_path: Path) -> None:
    file = toy_files.save(tmp_path / "toy.safetensors", toy.tensors, toy_files.sizes(toy.networks))
    model = load(toy_files.as_checkpoint(file, SD1, prediction_type="v_prediction", zero_terminal_snr=True), CPU)
    assert model.prediction_type == "v_prediction"
    assert model.alphas_cumprod[-1] < 1e-7


def test_each_text_encoder_gets_its_own_tokenizer(toys: dict[str, Toy], tmp_path: Path) -> None:
    toy = toys["sdxl"]
    file = toy_files.save(tmp_path / "toy.safetensors", toy.tensors, toy_files.sizes(toy.networks))
    checkpoint = toy_files.as_checkpoint(file, SDXL)
    assert [entry.tokenizer for entry in load(checkpoint, CPU, {"clip_l": "one", "clip_g": "two"}).text_encoders] == ["one", "two"]
    assert [entry.tokenizer for entry in load(checkpoint, CPU, "both").text_encoders] == ["both", "both"]
