"""Tensor names of ControlNets, Control-LoRAs and T2I-Adapters: in files, and in the networks.

Original names: lllyasviel/ControlNet (`zero_convs`, `input_hint_block`, and those of latent diffusion's UNet), the same in the generative
models of Stability AI (`label_emb`), xinsir's union as ComfyUI saves it, TencentARC/T2I-Adapter.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from models.identify.control import HINT, control_prefix
from models.tensors.layouts import NOT_WEIGHTS, Names
from models.tensors.unet_names import original_name

if TYPE_CHECKING:
    from diffusers.models.controlnets.controlnet import ControlNetModel
    from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel

    ControlNet = ControlNetModel | ControlNetUnionModel

PARTS = re.compile(  # of a ControlNet, in both layouts: whatever else lies in a file is another network's
    r"(input_blocks|middle_block|input_hint_block|zero_convs|middle_block_out|time_embed|label_emb"
    r"|conv_in|time_embedding|add_embedding|down_blocks|mid_block|controlnet_(cond_embedding|down_blocks|mid_block)"
    r"|task_embedding|transformer_layes|spatial_ch_projs|control_add_embedding)(\.|$)"
)
UNION_PARTS = ("task_embedding", "transformer_layes.", "spatial_ch_projs.")
FIRST, LAST, MIDDLE = "controlnet_cond_embedding.conv_in", "controlnet_cond_embedding.conv_out", "controlnet_mid_block"
HINTS = re.compile(r"controlnet_cond_embedding\.blocks\.(\d+)")
OUTPUTS = re.compile(r"controlnet_down_blocks\.(\d+)")
ADDED = re.compile(r"control_add_embedding\.linear_([12])")
ADAPTER = "adapter."


def control_names(names: Iterable[str]) -> Names:
    """Name within the ControlNet -> name in the file, which may hold a whole model beside it."""
    everything = list(names)
    prefix = control_prefix(everything) or ""
    own = {name[len(prefix) :]: name for name in everything if name.startswith(prefix)}
    return {short: name for short, name in own.items() if PARTS.match(short) and not NOT_WEIGHTS.search(short)}


def control_tensors(tensors: Mapping[str, Tensor], network: ControlNet, kinds: tuple[str, ...] = ()) -> dict[str, Tensor]:
    """Under the names of diffusers' `network`; what is missing is left out. `kinds`: further endings in the place of `weight`."""
    if HINT not in tensors:
        return dict(tensors)
    wanted = [*network.state_dict()]
    wanted += [f"{name.removesuffix('weight')}{kind}" for name in wanted if name.endswith(".weight") for kind in kinds]
    return {name: tensors[old] for name in wanted for old in original_names(name, network) if old in tensors}


def original_names(name: str, network: ControlNet) -> tuple[str, ...]:
    """The spellings of a tensor of diffusers' network in original files."""
    if name.startswith(UNION_PARTS):
        return name, name.replace(".in_proj_", ".in_proj.")
    module, _, last = name.rpartition(".")
    if found := ADDED.fullmatch(module):
        return name, f"control_add_embedding.{2 * int(found[1]) - 2}.{last}"
    return (f"{_original_module(module, network)}.{last}",)


def _original_module(module: str, network: ControlNet) -> str:
    if module == FIRST:
        return "input_hint_block.0"
    if module == LAST:
        return f"input_hint_block.{2 * len(network.controlnet_cond_embedding.blocks) + 2}"
    if found := HINTS.fullmatch(module):
        return f"input_hint_block.{2 * int(found[1]) + 2}"
    if found := OUTPUTS.fullmatch(module):
        return f"zero_convs.{found[1]}.0"
    return "middle_block_out.0" if module == MIDDLE else original_name(module, network)


# ---------------------------------------------------------------------------------------------------------------------- T2I-Adapters


def adapter_names(names: Iterable[str]) -> Names:
    return {name.removeprefix(ADAPTER): name for name in names if name.removeprefix(ADAPTER).startswith(("body.", "conv_in."))}


def adapter_tensors(tensors: Mapping[str, Tensor], layers: int) -> dict[str, Tensor]:
    """Under diffusers' names. `layers`: of each block, which the original full adapter counts in one row."""
    return {ADAPTER + _adapter_name(name, layers): tensor for name, tensor in tensors.items()}


def _adapter_name(name: str, layers: int) -> str:
    if found := re.fullmatch(r"body\.(\d+)\.body\.(\d+)\.(.+)", name):  # light
        return f"body.{found[1]}.resnets.{found[2]}.{found[3]}"
    return name if layers == 0 else _in_row(name, layers)


def _in_row(name: str, layers: int) -> str:
    found = re.fullmatch(r"body\.(\d+)\.(in_conv|block[12])\.(weight|bias)", name)
    if found is None:
        return name
    block, layer = divmod(int(found[1]), layers)
    inner = found[2] if found[2] == "in_conv" else f"resnets.{layer}.{found[2]}"
    return f"body.{block}.{inner}.{found[3]}"
