"""The only questions asked of the hardware: which device, which number type, how many pictures go into one network call."""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from functools import lru_cache

import psutil
import torch

from models.errors import UserError


@dataclass(frozen=True, slots=True)
class Device:
    """Where networks run. `dtype` is what weights are kept in and computed with."""

    torch_device: torch.device
    dtype: torch.dtype

    @property
    def pictures_a_call(self) -> int | None:
        """How many pictures share one network call; None for all of them.

        On a CPU it is one: the kernel that is chosen depends on the batch size, so a picture drawn in a batch would differ in
        its last bits from the same picture drawn alone, and batching wins no time there.
        """
        return 1 if self.torch_device.type == "cpu" else None


def choose(name: str = "auto") -> Device:
    """`auto`, or any name torch knows: cpu, cuda, cuda:1, mps. Raises `UserError` when it is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(f"The device “{name}” is not available here. Start with --device auto, or --device cpu.") from error
    return Device(device, torch.float32 if device.type == "cpu" else torch.float16)


def mend_torchvision() -> None:
    """Makes `import torchvision` work where its compiled part does not fit this torch. Call it before importing transformers.

    A CUDA wheel of torchvision beside a CPU build of torch leaves its operators undeclared, and the import fails with
    "operator torchvision::nms does not exist". Nothing here runs those operators; declaring them is enough.
    """
    try:
        importlib.import_module("torchvision")
    except ModuleNotFoundError:
        return  # transformers does without it
    except RuntimeError:
        for name in [name for name in sys.modules if name.startswith("torchvision")]:
            del sys.modules[name]
        _declare_operators()
        importlib.import_module("torchvision")


@lru_cache(maxsize=1)
def _declare_operators() -> torch.library.Library:
    """The declarations live as long as the library object, so the cache keeps it."""
    library = torch.library.Library("torchvision", "FRAGMENT")
    for operator in ("nms", "qnms"):
        library.define(operator + "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


def free_bytes(device: Device) -> int:
    """Memory that weights could take now: of the GPU where there is one, of the machine otherwise."""
    if device.torch_device.type == "cuda":
        return torch.cuda.mem_get_info(device.torch_device)[0]
    return psutil.virtual_memory().available
