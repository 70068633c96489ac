"""What is no sound LoRA for this model is refused with its reason; block weights act in their blocks and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from torch import Tensor

from models.diffusion_model import DiffusionModel
from models.errors import UserError
from models.patches import applied
from models.patches.lora_files import read_lora
from models.patches.targets import blocks_of, blocks_with_attention
from models.tensors.unet_names import original_name
from tests.support.lora_fixtures import nothing_is_left_changed, sd1, sdxl
from tests.support.lora_kinds import RANK, lora_of, low_rank, matrices_of, plain_file, random

__all__ = ["nothing_is_left_changed", "sd1", "sdxl"]


def refused(model: DiffusionModel, tensors: Mapping[str, Tensor], blocks: str = "") -> str:
    with pytest.raises(UserError) as error, applied(model, [(read_lora(tensors, {}, "ink"), 1, 1, blocks)]):
        pass
    return str(error.value)


def test_b34_what_is_no_sound_lora_is_refused_with_its_reason(sd1: DiffusionModel, sdxl: DiffusionModel) -> None:
    good = plain_file(sd1)
    down, up = (next(key for key in good if key.endswith(f"lora_{way}.weight")) for way in ("down", "up"))
    assert "nothing that a LoRA has" in refused(sd1, {})
    assert "nothing that a LoRA has" in refused(sd1, dict(sd1.unet.state_dict()))
    assert "only a part" in refused(sd1, {down: good[down]})
    assert "rank 0" in refused(sd1, {down: good[down][:0], up: good[up][:, :0]})
    assert "not finite" in refused(sd1, good | {down: good[down] * torch.nan})
    assert "another shape" in refused(sd1, good | {down: random(RANK, 768)})
    assert "another kind of model" in refused(sd1, plain_file(sdxl)) or "another shape" in refused(sd1, plain_file(sdxl))
    flux = {
        "lora_unet_double_blocks_0_img_attn_qkv.lora_down.weight": good[down],
        "lora_unet_double_blocks_0_img_attn_qkv.lora_up.weight": good[up],
    }
    assert "another kind of model" in refused(sd1, flux)
    mystery = {name.replace("double_blocks_0_img_attn_qkv", "mystery_of_tomorrow_7"): tensor for name, tensor in flux.items()}
    assert "in a way that Atelier does not know, mystery_of_tomorrow_7 among them" in refused(sd1, mystery)
    assert "whole numbers" in refused(sd1, good | {down: good[down].to(torch.int8)})


def test_block_weights_act_in_their_blocks(sd1: DiffusionModel) -> None:
    lora, _ = lora_of(sd1, low_rank)
    blocks = blocks_of(sd1.unet)
    for chosen in range(len(blocks) + 1):
        text = ",".join("1" if place == chosen else "0" for place in range(len(blocks) + 1))
        word = matrices_of(sd1.text_encoder)[0][1]
        old_word = word.weight.clone()
        olds = {name: module.weight.clone() for name, module in matrices_of(sd1.unet)}
        with applied(sd1, [(lora, 1, 1, text)]):
            changed = {name for name, module in matrices_of(sd1.unet) if not torch.equal(module.weight, olds[name])}
            words_change = not torch.equal(word.weight, old_word)
        assert changed or not chosen, text
        if chosen:
            side = blocks[chosen - 1]
            prefix = {"I": "input_blocks.", "M": "middle_block.", "O": "output_blocks."}[side[0]]
            number = "" if side[0] == "M" else f"{int(side.lstrip('INOUT'))}."
            assert all((original_name(name, sd1.unet)).startswith(prefix + number) for name in changed)
        assert words_change == (not chosen)


@pytest.mark.parametrize("text", ["1,2", "a,b", "1," * 200, "nan", "99"])
def test_wrong_block_weights_say_how_many_there_are(text: str, sd1: DiffusionModel) -> None:
    assert "lock weights" in refused(sd1, plain_file(sd1), text)


def test_the_block_lists_of_full_size_models_are_as_long_as_other_studios_have_them() -> None:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    from models.kits import kit
    from models.tensors.sources import config

    for family, long, short in (("sd1", 26, 17), ("sdxl", 20, 12)):
        sizes: dict[str, Any] = {name: value for name, value in config(kit(family) / "unet.json").items() if not name.startswith("_")}
        with torch.device("meta"):
            unet = UNet2DConditionModel(**sizes)
        assert len(blocks_of(unet)) + 1 == long
        assert len(blocks_with_attention(unet) | {"M00"}) + 1 == short
