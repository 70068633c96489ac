"""Sizes of a ControlNet or adapter in a single file: the family's, and what the tensors themselves tell.

ControlNets of one family differ in where they have attention (the small and middle ones of SDXL leave it out), in the layers that
read the picture, and in what makes a union of several. The sizes of the blocks are the UNet's, so a part that is missing is noticed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TypeGuard

from models.errors import UserError
from models.identify.control import HINT, adapter_shape
from models.json_values import is_row, is_whole
from models.networks.build import MOST_LAYERS, Config
from models.tensors.header import TensorInfo

CROSS, PLAIN = "CrossAttnDownBlock2D", "DownBlock2D"
CROSS_MIDDLE, PLAIN_MIDDLE = "UNetMidBlock2DCrossAttn", "UNetMidBlock2D"
IN_ROW = 2  # layers of a block in all adapters that were published so
Infos = Mapping[str, TensorInfo]


def control_sizes(part: str, weights: Infos, base: Config) -> Config:
    """The arguments of diffusers' ControlNet classes. `base`: the sizes of the UNet's first half, and what cannot be told.

    Raises `UserError` when `base` is no such sizes; the file may have brought them.
    """
    blocks, layers = _length(base.get("block_out_channels")), base.get("layers_per_block")
    if not _is_count(blocks) or not _is_count(layers):
        raise UserError(f"The configuration of the {part} asks for sizes that no such network has. Copy the model again.")
    found = _Tensors(weights, layers)
    return {**base, **found.attention(blocks), **found.picture(), **found.context(), **found.union()}


def lora_sizes(weights: Infos, base: Config) -> Config:
    """The same for a Control-LoRA, which has the shape of the UNet and may leave out what it does not change."""
    return {**base, **_Tensors(weights, 0).picture()}


def _length(value: object) -> int:
    """Of a list; 0 for anything else."""
    return len(value) if is_row(value) else 0


def _is_count(value: object) -> TypeGuard[int]:
    return is_whole(value) and 0 < value <= MOST_LAYERS


class _Tensors:
    """Names and shapes of a ControlNet in either layout, and what they say."""

    def __init__(self, weights: Infos, layers: int) -> None:
        self._weights = weights
        self._layers = layers
        self._is_original = HINT in weights

    def attention(self, blocks: int) -> Config:
        """Which blocks attend to the words, and how deep. diffusers takes the middle's depth from the last block."""
        depths, middle = [self._depth(self._place(block)) for block in range(blocks)], self._depth(self._middle)
        each = [depth or 0 for depth in depths]
        if depths[-1] is None:
            each[-1] = middle or 0
        return {
            "down_block_types": [PLAIN if depth is None else CROSS for depth in depths],
            "mid_block_type": PLAIN_MIDDLE if middle is None else CROSS_MIDDLE,
            "transformer_layers_per_block": each,
        }

    def picture(self) -> Config:
        """The layers that read the picture: one, pairs that halve it, one. An odd number means that the last is missing."""
        shapes: list[tuple[int, ...]] = []
        while shape := self._shape(self._hint(len(shapes))):
            shapes.append(shape)
        pairs = shapes[:-1] if self._is_original and len(shapes) % 2 == 0 else shapes
        if not pairs:
            return {}
        channels = [pairs[0][0], *(shape[0] for shape in pairs[2::2])]
        return {"conditioning_channels": (*pairs[0], 0)[1], "conditioning_embedding_out_channels": channels}

    def context(self) -> Config:
        """The width of the words' vectors, and of what SDXL adds to them."""
        width = next((info.shape[-1] for name, info in self._weights.items() if name.endswith("attn2.to_k.weight") and info.shape), 0)
        added = self._shape("label_emb.0.0.weight" if self._is_original else "add_embedding.linear_1.weight")
        found = {"cross_attention_dim": width} if width else {}
        return found | ({"projection_class_embeddings_input_dim": added[1]} if len(added) == 2 else {})

    def union(self) -> Config:
        if len(tasks := self._shape("task_embedding")) != 2:
            return {}
        layers = _numbers(self._weights, "transformer_layes.")
        projected = self._shape("spatial_ch_projs.weight")
        sizes = {"num_control_type": tasks[0], "num_trans_channel": tasks[1], "num_trans_layer": layers}
        return sizes | ({"num_proj_channel": projected[0]} if projected else {})

    def _depth(self, place: str) -> int | None:
        """Layers of the attention there, which may be none; None where there is no attention."""
        return _numbers(self._weights, f"{place}transformer_blocks.") if any(name.startswith(place) for name in self._weights) else None

    def _place(self, block: int) -> str:
        return f"input_blocks.{1 + block * (self._layers + 1)}.1." if self._is_original else f"down_blocks.{block}.attentions.0."

    @property
    def _middle(self) -> str:
        return "middle_block.1." if self._is_original else "mid_block.attentions.0."

    def _hint(self, number: int) -> str:
        if self._is_original:
            return f"input_hint_block.{2 * number}.weight"
        return f"controlnet_cond_embedding.{f'blocks.{number - 1}' if number else 'conv_in'}.weight"

    def _shape(self, name: str) -> tuple[int, ...]:
        return self._weights[name].shape if name in self._weights else ()


def adapter_sizes(weights: Infos) -> Config:
    """The arguments of diffusers' `T2IAdapter`, which its tensors tell in full."""
    shape = adapter_shape({name: info.shape for name, info in weights.items()})
    square = 16 if shape.inputs in (256, 768) else 8  # pixels along one side that become channels
    sizes = {"in_channels": shape.inputs // square**2, "downscale_factor": square}
    layers = _numbers(weights, "body.0.resnets.") or _numbers(weights, "body.0.body.") or rows_of(weights)
    if shape.is_light:
        return sizes | {"adapter_type": "light_adapter", "channels": list(shape.channels[:-1]), "num_res_blocks": layers}
    kind = "full_adapter_xl" if square == 16 else "full_adapter"
    return sizes | {"adapter_type": kind, "channels": list(shape.channels), "num_res_blocks": layers}


def rows_of(weights: Infos) -> int:
    """How many layers make a block where a file counts those of all blocks in one row: TencentARC's full adapters. Else 0."""
    return IN_ROW if "body.0.block1.weight" in weights else 0


def _numbers(weights: Infos, place: str) -> int:
    """How many different numbers follow the place."""
    beginning = re.compile(re.escape(place) + r"(\d+)\.")
    return len({found[1] for name in weights if (found := beginning.match(name))})
