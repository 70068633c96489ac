"""The modules of a network, by their names."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

from torch import nn


def named_modules(network: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """torch does not say of what type they are."""
    return cast(Iterator[tuple[str, nn.Module]], network.named_modules())
