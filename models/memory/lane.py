"""The lane: how weights travel to a device. Where it can, beside what it computes: from memory that is locked, on a stream of its own.

Room for what travels is taken on the stream that computes, and the lane waits for that stream before it writes there, so memory that was
in use a moment ago is not written too early. Nobody may use what travels before `arrived`.
"""

from __future__ import annotations

import logging
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Protocol, cast

import torch
from torch import Tensor

log = logging.getLogger(__name__)

MOST_LOCKED = 0.5  # of the memory that is free when weights are read; the system cannot move what is locked


class Lane:
    def __init__(self, device: torch.device) -> None:
        self._device = device
        # Any: torch has no common type for the modules of its devices
        self._module: Any = torch.get_device_module(device) if device.type != "cpu" else None
        self._side: Any = self._module.Stream(device) if hasattr(self._module, "Stream") else None  # Any: as above

    @property
    def runs_beside(self) -> bool:
        """Whether the device computes while something travels."""
        return self._side is not None

    def bring(self, tensors: Iterable[Tensor]) -> list[Tensor]:
        """Copies there, in the order in memory of what they are copies of. Raises where there is no memory for them."""
        if self._side is None:
            return [tensor.data.to(self._device, copy=True) for tensor in tensors]
        sources = [tensor.data for tensor in tensors]
        copies = [torch.empty_like(source, device=self._device) for source in sources]
        self._side.wait_stream(self._module.current_stream(self._device))
        with self._module.stream(self._side):
            for copy, source in zip(copies, sources, strict=True):
                copy.copy_(source, non_blocking=True)
        return copies

    def arrived(self) -> None:
        """What is asked of the device from here on finds what was brought."""
        if self._side is not None:
            self._module.current_stream(self._device).wait_stream(self._side)


class Cudart(Protocol):
    """The part of CUDA's runtime that locks memory."""

    def cudaHostRegister(self, pointer: int, size: int, flags: int) -> int: ...
    def cudaHostUnregister(self, pointer: int) -> int: ...


class Locks:
    """Memory of weights that is locked, so that a card fetches it by itself, twice as fast. It must be freed after `undo` alone."""

    def __init__(self, cudart: Cudart, wait: Callable[[], None], after_refusal: Callable[[], None]) -> None:
        """`wait`: until nothing travels any more; what is locked is read long after it was asked for. `after_refusal`: called once after
        memory could not be locked.
        """
        self._cudart, self._wait, self._after_refusal = cudart, wait, after_refusal
        self._locked: list[int] = []

    def lock(self, tensors: Iterable[Tensor], most: int) -> None:
        """As many bytes as `most`, each storage once. What cannot be locked travels more slowly."""
        for pointer, size in {(storage.data_ptr(), storage.nbytes()) for storage in (tensor.untyped_storage() for tensor in tensors)}:
            if not size or size > most:
                continue
            if int(self._cudart.cudaHostRegister(pointer, size, 0)):
                log.info("%d bytes of memory could not be locked", size)
                self._after_refusal()
                return
            self._locked.append(pointer)
            most -= size

    def undo(self) -> None:
        if self._locked:
            self._wait()
        while self._locked:
            self._cudart.cudaHostUnregister(self._locked.pop())


def locked(owner: object, tensors: Sequence[Tensor], device: torch.device, free: int) -> Callable[[], None]:
    """Locks the tensors of the owner until it is gone, or until what this gives is called. `free`: bytes of the host's memory."""
    if device.type != "cuda":
        return lambda: None
    locks = Locks(cast(Cudart, torch.cuda.cudart()), lambda: torch.cuda.synchronize(device), lambda: _forget_refusal(device))
    locks.lock(tensors, int(free * MOST_LOCKED))
    undo = weakref.finalize(owner, locks.undo)
    undo.atexit = False
    return undo


def _forget_refusal(device: torch.device) -> None:
    """CUDA tells of a refusal once more at the next kernel, whose own fault it would seem."""
    with suppress(RuntimeError):
        torch.zeros(1, device=device).add_(1)
