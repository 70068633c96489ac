"""FreeU (Si et al. 2023, arXiv:2309.11497): of a UNet's way up, what comes from its middle counts more, and the coarse part of what comes
across counts less. No weight changes, and nothing is asked of the network that it was not asked before.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel

NAMES = (
    "b1",
    "b2",
    "s1",
    "s2",
)  # as diffusers' blocks ask for them: of the middle's share and of what comes across, the lowest block first


@contextmanager
def free_u(unet: UNet2DConditionModel, numbers: tuple[float, float, float, float], strength: float) -> Generator[None]:
    """`numbers`: as `NAMES`, of the family (`Family.free_u`). `strength`: 0 .. 1, the share of the way to them from 1, which does nothing;
    with 0 the blocks do not even ask.
    """
    values = [1 + strength * (number - 1) for number in numbers] if strength else []
    with ExitStack() as stack:
        for block in unet.up_blocks:
            for name, value in zip(NAMES, values, strict=False):
                stack.callback(_put_back, block, name, getattr(block, name, None), hasattr(block, name))
                setattr(block, name, value)
        yield


def _put_back(block: object, name: str, before: object, was_there: bool) -> None:
    if was_there:
        setattr(block, name, before)
    else:
        delattr(block, name)
