"""LoRAs of every kind act as their papers say, on every module, and leave the weights as they were, bit for bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

from models.diffusion_model import DiffusionModel
from models.patches import applied
from models.patches.lora_files import read_lora
from models.tensors.unet_names import original_name
from tests.support.lora_fixtures import nothing_is_left_changed, sd1, sdxl
from tests.support.lora_kinds import (
    KINDS,
    RANK,
    SCALE,
    Tensors,
    dora_by_output,
    kohya,
    lora_of,
    low_rank,
    matrices_of,
    random,
    sample_input,
)

__all__ = ["nothing_is_left_changed", "sd1", "sdxl"]


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_every_kind_adds_what_its_paper_says_to_every_module(kind: Any, sd1: DiffusionModel) -> None:
    lora, added = lora_of(sd1, kind)
    plain = [module(sample_input(module)) for module, _ in added]
    with applied(sd1, [(lora, 0.7, 0.7, "")]):
        for (module, forward), before in zip(added, plain, strict=True):
            x = sample_input(module)
            torch.testing.assert_close(module(x), before + 0.7 * forward(x), rtol=1e-4, atol=1e-5)
    assert len(added) > 80


@torch.no_grad()
def test_each_module_keeps_its_own_alpha(sd1: DiffusionModel) -> None:
    modules = matrices_of(sd1.unet)[:12]
    tensors: Tensors = {}
    for number, (name, module) in enumerate(modules):
        tensors |= {f"{kohya('lora_unet', name)}.{key}": value for key, value in low_rank(module)[0].items()}
        tensors[f"{kohya('lora_unet', name)}.alpha"] = torch.tensor(float(number))
    before = [module(sample_input(module)) for _, module in modules]
    with applied(sd1, [(read_lora(tensors, {}), 1, 1, "")]):
        for number, (_, module) in enumerate(modules):
            x = sample_input(module)
            added = low_rank(module)[1](x) / SCALE * number / RANK
            torch.testing.assert_close(module(x), before[number] + added, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_several_loras_add_up_whatever_their_order(sd1: DiffusionModel) -> None:
    first, added = lora_of(sd1, low_rank)
    second, more = lora_of(sd1, dora_by_output)
    (module, one), (_, two) = added[10], more[10]
    x = sample_input(module)
    before = module(x)
    for uses in ([(first, 0.5, 0, ""), (second, 0.8, 0, "")], [(second, 0.8, 0, ""), (first, 0.5, 0, "")]):
        with applied(sd1, uses):
            torch.testing.assert_close(module(x), before + 0.5 * one(x) + 0.8 * two(x), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_unet_and_text_encoder_have_strengths_of_their_own(sd1: DiffusionModel) -> None:
    lora, _ = lora_of(sd1, low_rank)
    (_, inner), (_, word) = matrices_of(sd1.unet)[5], matrices_of(sd1.text_encoder)[0]
    old_inner, old_word = inner.weight.clone(), word.weight.clone()
    with applied(sd1, [(lora, 1, 0, "")]):
        assert not torch.equal(inner.weight, old_inner) and torch.equal(word.weight, old_word)
    with applied(sd1, [(lora, 0, 1, "")]):
        assert torch.equal(inner.weight, old_inner) and not torch.equal(word.weight, old_word)


def test_a_failure_in_the_middle_leaves_the_weights_as_the_file_has_them(sd1: DiffusionModel) -> None:
    lora, _ = lora_of(sd1, low_rank)
    with pytest.raises(RuntimeError, match="in the middle"), applied(sd1, [(lora, 1, 1, "")]), applied(sd1, [(lora, -2, 1, "")]):
        raise RuntimeError("in the middle")  # nothing_is_left_changed looks at every weight


@pytest.mark.parametrize(
    "spelling", ["unet.{}.lora_A.weight", "base_model.model.unet.{}.lora_A.weight", "unet.{}.lora.down.weight", "{}.lora_A.default.weight"]
)
@torch.no_grad()
def test_the_spellings_of_diffusers_and_peft_are_read(spelling: str, sd1: DiffusionModel) -> None:
    name, module = next((name, module) for name, module in matrices_of(sd1.unet) if name.endswith("attn1.to_q"))
    down, up = random(RANK, module.in_features), random(module.out_features, RANK, seed=1)
    other = spelling.replace("lora_A", "lora_B").replace("down", "up")
    lora = read_lora({spelling.format(name): down, other.format(name): up}, {})
    x = sample_input(module)
    before = module(x)
    with applied(sd1, [(lora, 1, 1, "")]):
        torch.testing.assert_close(module(x), before + F.linear(F.linear(x, down), up), rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_the_spelling_of_old_attention_processors_is_read(sd1: DiffusionModel) -> None:
    name, module = next((name, module) for name, module in matrices_of(sd1.unet) if name.endswith("attn1.to_out.0"))
    stem = "unet." + name.removesuffix("to_out.0") + "processor.to_out_lora"
    down, up = random(RANK, module.in_features), random(module.out_features, RANK, seed=1)
    lora = read_lora({f"{stem}.down.weight": down, f"{stem}.up.weight": up}, {})
    old = module.weight.clone()
    with applied(sd1, [(lora, 1, 1, "")]):
        torch.testing.assert_close(module.weight.detach(), old + up @ down)


@torch.no_grad()
def test_sdxl_files_name_both_encoders_and_the_original_blocks(sdxl: DiffusionModel) -> None:
    targets = {
        "lora_te1": ("lora_te1_text_model_encoder_layers_0_self_attn_q_proj", 0),
        "lora_te2": ("lora_te2_text_model_encoder_layers_1_mlp_fc1", 1),
    }
    for stem, number in targets.values():
        network = sdxl.text_encoders[number].network
        [module] = [part for name, part in matrices_of(network) if stem.endswith(name.removeprefix("text_model.").replace(".", "_"))]
        lora = read_lora({f"{stem}.{key}": value for key, value in low_rank(module)[0].items()}, {})
        old = module.weight.clone()
        with applied(sdxl, [(lora, 0, 1, "")]):
            assert not torch.equal(module.weight, old)
    for name, module in matrices_of(sdxl.unet):
        original = original_name(name, sdxl.unet)
        lora = read_lora({f"{kohya('lora_unet', original)}.{key}": value for key, value in low_rank(module)[0].items()}, {})
        old = module.weight.clone()
        with applied(sdxl, [(lora, 1, 0, "")]):
            assert not torch.equal(module.weight, old), name


def test_original_names_are_those_of_diffusers_own_converter() -> None:
    """Against diffusers' conversion of the full-size SD 1 and SDXL networks, on meta tensors with their names as values."""
    from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    from models.kits import kit
    from models.tensors.sources import config

    for family in ("sd1", "sdxl"):
        sizes: dict[str, Any] = {name: value for name, value in config(kit(family) / "unet.json").items() if not name.startswith("_")}
        with torch.device("meta"):
            unet = UNet2DConditionModel(**sizes)
        names = [name for name, _ in matrices_of(unet)]
        ldm = {f"model.diffusion_model.{original_name(name, unet)}.weight": torch.empty(0) for name in names}
        wanted = {f"model.diffusion_model.{original_name(name, unet)}.weight": name for name in names}
        assert len(ldm) == len(names)
        biases = {key.replace(".weight", ".bias"): torch.empty(0) for key in ldm}
        norms = {f"model.diffusion_model.out.0.{kind}": torch.empty(0) for kind in ("weight", "bias")}
        everything = ldm | biases | norms
        converted = convert_ldm_unet_checkpoint(dict(everything), unet.config)
        by_identity = {id(tensor): key for key, tensor in converted.items()}
        for key, name in wanted.items():
            assert by_identity[id(everything[key])] == f"{name}.weight", key
