"""Pictures that join at their edges: convolutions read beyond one edge what lies at the opposite one, for the length of a `with` block."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import cast

from torch import Tensor, nn
from torch.nn import functional


@contextmanager
def seamless(networks: Iterable[nn.Module], across: bool, down: bool) -> Generator[None]:
    """`across`: the left edge joins the right one; `down`: the top joins the bottom. No weight changes.

    A convolution that moves places over by themselves then answers moved likewise, whatever it is given.
    """
    with ExitStack() as stack:
        for layer in _convolutions(networks) if across or down else ():
            height, width = cast("tuple[int, int]", layer.padding)
            stack.callback(setattr, layer, "padding", layer.padding)
            layer.padding = (0, 0)
            stack.callback(layer.register_forward_pre_hook(partial(_padded, (height, down), (width, across))).remove)
        yield


def _convolutions(networks: Iterable[nn.Module]) -> list[nn.Conv2d]:
    """Those that read beyond the edge, each once."""
    found = {id(layer): layer for network in networks for layer in network.modules() if isinstance(layer, nn.Conv2d)}
    return [layer for layer in found.values() if layer.padding_mode == "zeros" and any(side != 0 for side in layer.padding)]


def _padded(height: tuple[int, bool], width: tuple[int, bool], _: nn.Module, given: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    (down, wraps_down), (across, wraps_across) = height, width
    read = functional.pad(given[0], (across, across, 0, 0), "circular" if wraps_across else "constant")
    return functional.pad(read, (0, 0, down, down), "circular" if wraps_down else "constant"), *given[1:]
