"""Target modules of a LoRA: the names that files use for them, and the blocks of the original layout that they belong to.

LoRA files name modules as diffusers does, or as the original Stable Diffusion code does, with dots or with underscores.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from torch import nn

from models.networks.modules import named_modules
from models.tensors.lora_names import flat
from models.tensors.unet_names import original_name

if TYPE_CHECKING:
    from models.tensors.unet_names import UNet


def weighted(network: nn.Module) -> dict[str, nn.Module]:
    """Name -> module, of all that have a weight of their own."""
    return {name: module for name, module in named_modules(network) if isinstance(getattr(module, "weight", None), nn.Parameter)}


def unet_targets(unet: UNet) -> dict[str, str]:
    """What LoRA files call a module, in both spellings -> its name in the network."""
    targets: dict[str, str] = {}
    for name in weighted(unet):
        targets[flat(name)] = name
        if original := original_name(name, unet):
            targets.setdefault(flat(original), name)
    return targets


def encoder_targets(network: nn.Module) -> dict[str, str]:
    """The same for a text encoder, whose files leave out the outermost level or not."""
    return {flat(name): name for name in weighted(network)}


def blocks_of(unet: UNet) -> tuple[str, ...]:
    """The blocks of the original layout in order: IN00, IN01 ..., M00, OUT00, OUT01 ..."""
    found = {block for name in weighted(unet) if (block := block_of(name, unet))}
    order = {"I": 0, "M": 1, "O": 2}
    return tuple(sorted(found, key=lambda block: (order[block[0]], block)))


def blocks_with_attention(unet: UNet) -> frozenset[str]:
    return frozenset(block for name in weighted(unet) if ".attentions." in name and (block := block_of(name, unet)))


def block_of(name: str, unet: UNet) -> str:
    """The block that a module (by its diffusers name) belongs to; "" for those outside all blocks."""
    original = original_name(name, unet)
    if found := re.match(r"(input|output)_blocks\.(\d+)\.", original):
        return f"{'IN' if found[1] == 'input' else 'OUT'}{int(found[2]):02d}"
    return "M00" if original.startswith("middle_block.") else ""
