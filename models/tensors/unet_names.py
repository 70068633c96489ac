"""UNet module names in diffusers and in the original Stable Diffusion code (`input_blocks.4.1` ...).

The second follow from the first by counting blocks, for any number of blocks and layers.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diffusers.models.controlnets.controlnet import ControlNetModel
    from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

    UNet = UNet2DConditionModel | ControlNetModel | ControlNetUnionModel  # a ControlNet is the first half of one

INNER = {  # within a residual block: diffusers -> original
    "norm1": "in_layers.0", "conv1": "in_layers.2", "time_emb_proj": "emb_layers.1", "norm2": "out_layers.0", "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}  # fmt: skip
OUTER = {
    "conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2", "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2", "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2",
}  # fmt: skip
PLACE = re.compile(r"(down_blocks|up_blocks)\.(\d+)\.(resnets|attentions|downsamplers|upsamplers)\.(\d+)\.?(.*)")
MIDDLE = re.compile(r"mid_block\.(resnets|attentions)\.(\d+)\.?(.*)")


def original_name(name: str, unet: UNet) -> str:
    """`down_blocks.1.attentions.0.proj_in` -> `input_blocks.4.1.proj_in`; "" for what the original has no such module for."""
    if name in OUTER:
        return OUTER[name]
    if found := MIDDLE.fullmatch(name):
        place = 1 if found[1] == "attentions" else 2 * int(found[2])
        return f"middle_block.{place}.{_inner(found[1], found[3])}"
    if found := PLACE.fullmatch(name):
        return _in_block(found[1], int(found[2]), found[3], int(found[4]), found[5], unet)
    return ""


def _in_block(side: str, block: int, part: str, layer: int, inner: str, unet: UNet) -> str:
    each = unet.config["layers_per_block"]
    if side == "down_blocks":
        number = 1 + block * (each + 1) + (each if part == "downsamplers" else layer)
        if part == "downsamplers":
            return f"input_blocks.{number}.0.op"
        return f"input_blocks.{number}.{int(part == 'attentions')}.{_inner(part, inner)}"
    if part == "upsamplers":
        number = block * (each + 1) + each
        place = 1 + int(hasattr(unet.get_submodule(f"up_blocks.{block}"), "attentions"))
        return f"output_blocks.{number}.{place}.{inner}"
    return f"output_blocks.{block * (each + 1) + layer}.{int(part == 'attentions')}.{_inner(part, inner)}"


def _inner(part: str, inner: str) -> str:
    return INNER.get(inner, inner) if part == "resnets" else inner
