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
        self._known = {_address(weight.untyped_storage()) for weight in (*network.parameters(), *network.buffers())}

    # Any: as torch calls it
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(result):
            if isinstance(tensor, torch.Tensor):
                self._count(tensor.untyped_storage())
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        address = _address(storage)
        if address not in self._known:
            self._known.add(address)
            self.bytes += storage.nbytes()
            self.peak = max(self.peak, self.bytes)
            weakref.finalize(storage, self._forget, address, storage.nbytes())

    def _forget(self, address: int, count: int) -> None:
        self._known.discard(address)
        self.bytes -= count


def _address(storage: torch.UntypedStorage) -> int:
    """Of the storage itself: those of meta tensors all have their numbers nowhere."""
    return storage._cdata  # pyright: ignore[reportPrivateUsage]


def most_alive(network: torch.nn.Module, call: Callable[[], object]) -> int:
    """Bytes at the peak of the call, without weights. On meta tensors nothing is computed."""
    with torch.no_grad(), Alive(network) as alive:
        call()
    return alive.peak
