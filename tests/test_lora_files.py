"""What files call their tensors, in all spellings; what does not belong to a LoRA; types, layouts and biases of the weights it changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from models.families import SDXL_REFINER
from models.patches import applied
from models.patches.lora_files import read_lora
from models.tensors.lora_names import Target
from tests.support.toy_weights import load_toy_model, write_toy_model

LAYER = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
FLAT = LAYER.replace(".", "_")
DOWN, UP = torch.ones(2, 32), torch.full((32, 2), 0.25)


@pytest.fixture(scope="module")
def sd1(tmp_path_factory: pytest.TempPathFactory) -> DiffusionModel:
    return load_toy_model(write_toy_model(tmp_path_factory.mktemp("sd1")))


def weight(model: DiffusionModel) -> nn.Parameter:
    parameter = model.unet.get_submodule(LAYER).weight
    assert isinstance(parameter, nn.Parameter)
    return parameter


def pair(stem: str = f"lora_unet_{FLAT}", down: Tensor = DOWN, up: Tensor = UP) -> dict[str, Tensor]:
    return {f"{stem}.lora_down.weight": down, f"{stem}.lora_up.weight": up}


@pytest.mark.parametrize(
    ("stem", "target"),
    [
        (f"lora_unet_{FLAT}", Target("unet", FLAT)),
        (f"unet.{LAYER}", Target("unet", FLAT)),
        (f"base_model.model.{LAYER}", Target("unet", FLAT)),
        ("lora_unet_input_blocks_1_1_proj_in", Target("unet", "input_blocks_1_1_proj_in")),
        ("lora_te_text_model_encoder_layers_0_mlp_fc1", Target("te", "encoder_layers_0_mlp_fc1")),
        ("lora_te2_text_model_encoder_layers_3_mlp_fc1", Target("te2", "encoder_layers_3_mlp_fc1")),
        ("text_encoder.text_model.encoder.layers.0.mlp.fc1", Target("te", "encoder_layers_0_mlp_fc1")),
        ("text_encoder_2.text_model.encoder.layers.0.mlp.fc1", Target("te2", "encoder_layers_0_mlp_fc1")),
    ],
)
def test_a_name_tells_the_part_and_the_module(stem: str, target: Target) -> None:
    assert set(read_lora(pair(stem)).modules) == {target}


@pytest.mark.parametrize("stem", [f"lycoris_{FLAT}", f"diffusion_model.{LAYER}", f"base_model.model.unet.{LAYER}", f"of.tomorrow.{LAYER}"])
def test_a_layer_behind_any_prefix_is_the_same_layer(stem: str, sd1: DiffusionModel) -> None:
    before = weight(sd1).detach().clone()
    with applied(sd1, [(read_lora(pair(stem)), 1, 1, "")]):
        torch.testing.assert_close(weight(sd1).detach(), before + UP @ DOWN)


@pytest.mark.parametrize("ending", ["lora_magnitude_vector", "lora_magnitude_vector.weight", "lora_magnitude_vector.default.weight"])
def test_pefts_lengths_are_one_for_each_output(ending: str, sd1: DiffusionModel) -> None:
    """A square matrix does not tell the axis, and for convolutions PEFT writes (1, outputs, 1, 1)."""
    length = torch.linspace(1, 3, 32)
    lora = read_lora({**pair(f"unet.{LAYER}"), f"unet.{LAYER}.{ending}": length.view(1, 32)})
    with applied(sd1, [(lora, 1, 1, "")]):
        torch.testing.assert_close(weight(sd1).detach().norm(dim=1), length)


def test_an_embedding_inside_a_lora_is_noted_and_the_lora_used() -> None:
    bundle = {"bundle_emb.sprite.string_to_param.*": torch.zeros(2, 768), "bundle_emb.glow.emb_params": torch.zeros(1, 768)}
    lora = read_lora({**pair(), **bundle})
    assert lora.bundled == ("sprite", "glow")
    assert set(lora.modules) == {Target("unet", FLAT)}
    assert lora.bytes == DOWN.nbytes + UP.nbytes


def test_norms_and_biases_take_differences(sd1: DiffusionModel) -> None:
    norm = sd1.unet.get_submodule("conv_norm_out")
    assert isinstance(norm, nn.GroupNorm)
    shift = torch.linspace(0, 1, norm.num_channels)
    before = norm.weight.clone(), norm.bias.clone()
    lora = read_lora({"lora_unet_conv_norm_out.w_norm": shift, "lora_unet_conv_norm_out.b_norm": -shift})
    with applied(sd1, [(lora, 0.5, 0, "")]):
        torch.testing.assert_close(norm.weight.detach(), before[0] + 0.5 * shift)
        torch.testing.assert_close(norm.bias.detach(), before[1] - 0.5 * shift)
    assert torch.equal(norm.weight, before[0]) and torch.equal(norm.bias, before[1])


def test_a_bias_that_is_not_there_is_refused(sd1: DiffusionModel) -> None:
    with pytest.raises(UserError, match="no bias"), applied(sd1, [(read_lora({f"lora_unet_{FLAT}.diff_b": torch.ones(32)}), 1, 1, "")]):
        pass


def test_a_few_modules_that_the_model_lacks_are_passed_over_and_many_are_not(sd1: DiffusionModel) -> None:
    names = [name.replace(".", "_") for name, module in sd1.unet.named_modules() if name.endswith(("to_q", "to_k")) and "attn1" in name]
    several: dict[str, Tensor] = {}
    for name in names[:4]:
        several |= pair(f"lora_unet_{name}", torch.ones(1, 32), torch.ones(32, 1))
    stranger = pair("lora_unet_down_blocks_9_attentions_0_proj_in")
    with applied(sd1, [(read_lora({**several, **stranger}), 1, 1, "")]):
        pass
    with pytest.raises(UserError, match="another kind of model"), applied(sd1, [(read_lora({**pair(), **stranger}), 1, 1, "")]):
        pass


def test_a_model_with_more_input_channels_is_changed_in_the_four_that_the_lora_knows() -> None:
    from models.patches.deltas import weight_delta

    first = torch.randn(8, 9, 3, 3, generator=torch.Generator().manual_seed(0))
    down, up = torch.randn(2, 4, 3, 3, generator=torch.Generator().manual_seed(1)), torch.ones(8, 2, 1, 1)
    found = weight_delta({"down": down, "up": up}, first)
    torch.testing.assert_close(found[:, :4], down.sum(0).expand(8, 4, 3, 3))
    assert not found[:, 4:].any()


@pytest.mark.parametrize(("dtype", "layout"), [(torch.float16, torch.channels_last), (torch.bfloat16, torch.contiguous_format)])
def test_type_and_memory_layout_of_a_weight_stay(dtype: torch.dtype, layout: torch.memory_format, sd1: DiffusionModel) -> None:
    """Rounded once: the nearest number of the type to the sum in float32."""
    network: Any = nn.ModuleDict({"conv": nn.Conv2d(8, 16, 3)}).to(dtype)
    network.to(memory_format=layout)
    kernel: Any = network["conv"].weight
    old, strides, place = kernel.detach().clone(), kernel.stride(), kernel.data_ptr()
    diff = torch.randn(16, 8, 3, 3, generator=torch.Generator().manual_seed(2))
    lora = read_lora({"lora_unet_conv.diff": diff})
    with applied(replace(sd1, unet=network), [(lora, 0.3, 0, "")]):
        assert (kernel.dtype, kernel.stride()) == (dtype, strides)
        assert torch.equal(kernel, (old.float() + 0.3 * diff).to(dtype))
    assert (kernel.data_ptr(), kernel.stride()) == (place, strides)
    assert torch.equal(kernel, old)


def test_it_works_in_inference_mode_too(sd1: DiffusionModel) -> None:
    old = weight(sd1).detach().clone()
    with torch.inference_mode(), applied(sd1, [(read_lora(pair()), 1, 1, "")]):
        torch.testing.assert_close(weight(sd1), old + UP @ DOWN)
    assert torch.equal(weight(sd1), old)


def test_a_lora_that_fails_after_another_one_fits_changes_nothing(sd1: DiffusionModel) -> None:
    old, place = weight(sd1).detach().clone(), weight(sd1).data_ptr()
    wrong = read_lora(pair(down=torch.ones(2, 99)), name="wrong one")
    uses = [(read_lora(pair()), 1.0, 1.0, ""), (wrong, 1.0, 1.0, "")]
    with pytest.raises(UserError, match=r"“wrong one”.*another shape at down_blocks\.0"), applied(sd1, uses):
        raise AssertionError("it was applied")
    assert weight(sd1).data_ptr() == place and torch.equal(weight(sd1), old)


def test_numbers_beyond_what_the_type_holds_are_refused_before_anything_changes(sd1: DiffusionModel) -> None:
    old = weight(sd1).detach().clone()
    with pytest.raises(UserError, match="too strong"), applied(sd1, [(read_lora(pair(up=UP * 1e38, down=DOWN * 1e30)), 1, 1, "")]):
        pass
    assert torch.equal(weight(sd1), old)


@pytest.mark.parametrize("factor", ["alpha", "scale"])
def test_a_factor_that_is_no_number_is_refused(factor: str) -> None:
    with pytest.raises(UserError, match="not one number"):
        read_lora({**pair(), f"lora_unet_{FLAT}.{factor}": torch.ones(3)})


def test_a_refiners_encoder_is_the_second_one_of_sdxl(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = write_toy_model(tmp_path_factory.mktemp("refiner"), family=SDXL_REFINER)
    refiner = load_toy_model(folder, family=SDXL_REFINER)
    layer = refiner.text_encoder.get_submodule("text_model.encoder.layers.0.mlp.fc1")
    assert isinstance(layer, nn.Linear)
    old = layer.weight.detach().clone()
    down, up = torch.ones(1, layer.in_features), torch.ones(layer.out_features, 1)
    lora = read_lora(pair("lora_te2_text_model_encoder_layers_0_mlp_fc1", down, up))
    with applied(refiner, [(lora, 0, 2, "")]):
        torch.testing.assert_close(layer.weight.detach(), old + 2)
