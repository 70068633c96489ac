"""The device: which one, which number type, how many pictures go into one call, how much memory. Nothing else asks the hardware."""

from __future__ import annotations

import gc
import importlib
import sys
import threading
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache

import psutil
import torch

from models.errors import UserError
from models.memory.agreed import Agreed
from models.memory.forecast import Machine

MENDING = threading.Lock()  # the library asks for upscalers while the worker begins
MARGIN = 500 * 2**20  # bytes of a card that go to the kernels of torch, cuDNN and cuBLAS, and to the gaps between tensors


@dataclass(frozen=True, slots=True)
class Device:
    """The device that networks run on. `dtype` is what weights are kept in and computed with."""

    torch_device: torch.device
    dtype: torch.dtype
    eight_bits: bool = False  # the UNet's weights that a file holds in eight bits stay so in memory

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
    return Device(device, torch.float32 if device.type == "cpu" else torch.float16, eight_bits=device.type == "cuda")


def cards() -> tuple[str, ...]:
    """The names of all NVIDIA cards, where there are several."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return tuple(f"cuda:{number}" for number in range(count)) if count > 1 else ()


@contextmanager
def threads(count: int) -> Generator[None]:
    """So many threads of the processor add up sums for the length of the block; 0 leaves as many as there are.

    In which parts a sum is added up depends on their number, and with it the last bits: group norms and convolutions of one pixel.
    """
    with THREADS.held(count or None):
        yield


ATTENTIONS = ("fastest", "memory-efficient", "plain")  # kernels, as torch chooses among them, the most careful last


@contextmanager
def attention(way: str) -> Generator[None]:
    """Attention is worked out by these kernels, one of `ATTENTIONS`, for the length of the block. They differ in the last bits."""
    with ATTENTION.held(way):
        yield


class _Kernels:
    """Those that torch may choose from for attention."""

    def __init__(self) -> None:
        self._way, self._chosen = ATTENTIONS[0], ExitStack()

    def read(self) -> str:
        return self._way

    def put(self, way: str) -> None:
        from torch.nn.attention import SDPBackend, sdpa_kernel

        allowed = {"memory-efficient": [SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH], "plain": [SDPBackend.MATH]}
        self._chosen.close()
        self._way = way
        if way in allowed:
            self._chosen.enter_context(sdpa_kernel(allowed[way]))  # pyright: ignore[reportUnknownArgumentType]  # torch does not annotate it


# As torch has these for the whole process, so are they here: one for all threads that draw.
THREADS: Agreed[int] = Agreed(torch.get_num_threads, torch.set_num_threads)
ATTENTION: Agreed[str] = Agreed(*(lambda kernels: (kernels.read, kernels.put))(_Kernels()))


# Of CUDA's runtime: an address, an instruction or memory that fails, a launch without end, a card that has gone. Nothing runs there then.
LOST = frozenset({46, 101, 214, 700, 702, 709, 710, 714, 715, 716, 717, 718, 719})


def is_lost(error: BaseException) -> bool:
    """Whether the device answers nothing any more, until the program is started anew."""
    return isinstance(error, torch.AcceleratorError) and getattr(error, "error_code", 0) in LOST


def order_of_sums() -> tuple[object, ...]:
    """Of what the last bits depend on at this moment, or whether there are numbers at all: the threads, and the kernels of attention."""
    cuda = torch.backends.cuda
    return torch.get_num_threads(), cuda.flash_sdp_enabled(), cuda.mem_efficient_sdp_enabled()


def more_careful(way: str, device: Device) -> str | None:
    """The next kernels to try where these gave numbers that are not finite, as some do in half precision on some cards. None: there are no
    others, or the device has one kind alone.
    """
    rest = ATTENTIONS[ATTENTIONS.index(way) + 1 :]
    return rest[0] if rest and has_kernels_to_choose(device) else None


def has_kernels_to_choose(device: Device) -> bool:
    return device.torch_device.type not in ("cpu", "mps")


def mend_torchvision() -> None:
    """Makes `import torchvision` work where its compiled part does not fit this torch. Call it before importing transformers.

    A CUDA wheel of torchvision beside a CPU build of torch leaves its operators undeclared, and the import fails with
    "operator torchvision::nms does not exist". Nothing here runs those operators; declaring them is enough.
    """
    with MENDING:
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
        declaration = f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"
        library.define(declaration)  # pyright: ignore[reportUnknownMemberType]  # torch does not annotate it
    return library


def sent(tensor: torch.Tensor, device: torch.device | str) -> torch.Tensor:
    """A tensor of the host on the device, without waiting until that has done what it was asked before.

    CUDA does so from memory that is locked. MPS may read a tensor's memory when it is another's already (pytorch issue 189690), so
    there the copy is waited for.
    """
    kind = torch.device(device).type
    return (tensor.pin_memory() if kind == "cuda" else tensor).to(device, non_blocking=kind != "mps")


def read_machine(device: Device) -> Machine:
    """How much memory there is now: half of the host's free one for weights, nearly all of the device's own."""
    size, one_by_one = torch.finfo(device.dtype).bits // 8, device.pictures_a_call == 1
    return Machine(psutil.virtual_memory().available // 2, _own_memory(device.torch_device), size, one_by_one, device.eight_bits)


def _own_memory(device: torch.device) -> int | None:
    """Bytes free on a device with a memory apart from the host's, less what the libraries take once they run; None for a CPU."""
    if device.type == "mps":
        return torch.mps.recommended_max_memory()
    module = torch.get_device_module(device)
    return max(module.mem_get_info(device)[0] - MARGIN, 0) if hasattr(module, "mem_get_info") else None


def free_now(device: Device) -> int:
    """Bytes that tensors may take at this moment where networks run, what torch keeps for them included."""
    kind = device.torch_device.type
    if kind == "mps":
        return max(torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory(), 0)
    module = torch.get_device_module(device.torch_device)
    if kind == "cpu" or not hasattr(module, "mem_get_info"):
        return psutil.virtual_memory().available
    kept = module.memory_reserved(device.torch_device) - module.memory_allocated(device.torch_device)
    return module.mem_get_info(device.torch_device)[0] + kept


def release(device: Device) -> None:
    """Gives memory that nothing uses any more back to the system, so that others, and larger pieces, can have it."""
    gc.collect()
    module = torch.get_device_module(device.torch_device)
    if hasattr(module, "empty_cache"):
        module.empty_cache()
