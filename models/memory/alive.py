"""Memory counted, not guessed: the most bytes of tensors that are alive at one moment of a forward pass."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Alive(TorchDispatchMode):
    """Counts the bytes of all tensors that are made under it and still alive, and their most at one moment."""

    def __init__(self, network: torch.nn.Module) -> None:
        """The weights of `network` are not counted."""
        super().__init__()  # pyright: ignore[reportUnknownMemberType]  # torch does not annotate it
        self.bytes = self.peak = 0
        self._known = {address(weight) for weight in (*network.parameters(), *network.buffers())}

    # Any: as torch calls it
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor)
        return result

    def _count(self, tensor: torch.Tensor) -> None:
        place, storage = address(tensor), tensor.untyped_storage()
        if place not in self._known:
            self._known.add(place)
            self.bytes += storage.nbytes()
            self.peak = max(self.peak, self.bytes)
            weakref.finalize(storage, self._forget, place, storage.nbytes())

    def _forget(self, place: int, count: int) -> None:
        self._known.discard(place)
        self.bytes -= count


def address(tensor: torch.Tensor) -> int:
    """Of the storage itself: those of meta tensors all have their numbers nowhere."""
    return tensor.untyped_storage()._cdata  # pyright: ignore[reportPrivateUsage]


def most_alive(network: torch.nn.Module, call: Callable[[], object]) -> int:
    """Bytes at the peak of the call, without weights. On meta tensors nothing is computed."""
    with torch.no_grad(), Alive(network) as alive:
        call()
    return alive.peak
