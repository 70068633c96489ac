"""Block weights: how strongly a LoRA acts in each block of the UNet, as a list of numbers.

Orders as in the A1111 extension "LoRA Block Weight". The first number, BASE, is for the text encoder and for what lies outside all
blocks. The long list names every block (26 numbers for SD 1 and 2, 20 for SDXL), the short one those with attention (17 and 12);
what the short one does not name gets 0. For another architecture both lists are as long as its own blocks ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from models.errors import UserError
from models.patches.targets import blocks_of, blocks_with_attention

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

BASE = "BASE"
STRONGEST = 4.0


def block_weights(text: str, unet: UNet2DConditionModel) -> Mapping[str, float]:
    """Block -> weight; nothing for an empty text, which means 1 everywhere. Raises `UserError`."""
    if not text.strip():
        return {}
    numbers = [_number(part) for part in text.split(",")]
    every = blocks_of(unet)
    some = blocks_with_attention(unet) | {"M00"}
    short = [block for block in every if block in some]
    if len(numbers) == len(every) + 1:
        return dict(zip((BASE, *every), numbers, strict=True))
    if len(numbers) == len(short) + 1:
        return dict.fromkeys(every, 0.0) | dict(zip((BASE, *short), numbers, strict=True))
    raise UserError(f"Block weights of this model are {len(short) + 1} or {len(every) + 1} numbers, BASE first; {len(numbers)} were given.")


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = float("nan")
    if not abs(number) <= STRONGEST:  # also not a number
        raise UserError(f"“{text.strip()[:20]}” among the block weights is not a number from -4 to 4.")
    return number
