"""A pretended card: a private device of torch with its own memory, which is kept in the host's. No GPU and no compiler is needed.

It stands where an extension for other hardware would (PrivateUse1, `torch.utils.backend_registration`): tensors are ordinary ones
whose storage says that it is on `card`, and every operator that torch has no kernel of its own for comes to `_Backend`. So torch's own
rules hold as on CUDA: it refuses to mix the card's tensors with the host's but for single numbers, and moves only what it is told to
move. What is hard to ask of a real card is counted here: bytes, their peak, and each time that the host waits for the card.

Kernels run on the host's view of the same numbers. Where a real card adds up half precision in float32, so does this one, and rounds once.
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils import backend_registration

NAME = "card"
HOST = torch.device("cpu")
DATA: Any = torch._C.TensorBase.data  # pyright: ignore[reportAttributeAccessIssue]
aten = torch.ops.aten

# What they give, or its shape, is a number that the host must have before it goes on.
WAITED_FOR = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2", "unique_consecutive", "repeat_interleave"}
SUMS = {
    "convolution", "native_group_norm", "native_layer_norm", "scaled_dot_product_attention", "mm", "bmm", "addmm", "baddbmm", "_softmax",
}  # fmt: skip
# torch breaks these up for a device that has no kernel for them, or refuses; a real card has one.
OWN = {
    "convolution_overrideable": aten.convolution.default,
    "native_group_norm": aten.native_group_norm.default,
    "native_layer_norm": aten.native_layer_norm.default,
    "scaled_dot_product_attention": aten.scaled_dot_product_attention.default,
}


@dataclass
class Card:
    """What the card holds, and what the host has waited for."""

    memory: float = float("inf")  # bytes; what would not fit raises `OutOfMemoryError`
    bytes: int = 0  # of the tensors that are alive
    peak: int = 0  # the most that were; whoever measures sets it back
    waited: list[str] = field(default_factory=list)
    flawed: bool = False  # its fastest kernel of attention gives no numbers, as some real ones do

    def hold(self, storage: torch.UntypedStorage) -> None:
        """Counts it for as long as it lives."""
        self.bytes += storage.nbytes()
        weakref.finalize(storage, self._free, storage.nbytes()).atexit = False
        if self.bytes > self.memory:
            raise torch.OutOfMemoryError(f"The pretended card is out of memory: {self.bytes:,} bytes of {self.memory:,}")
        self.peak = max(self.peak, self.bytes)

    def _free(self, count: int) -> None:
        self.bytes -= count


@contextmanager
def pretended_card(memory: float = float("inf")) -> Iterator[Card]:
    """The device `card` is there for the length of the block; `memory`: its bytes. What is left on it afterwards is of no use."""
    backend = _backend()
    backend.card = Card(memory)
    torch.Tensor.data = property(DATA.__get__, _set_data)  # pyright: ignore[reportAttributeAccessIssue]
    try:
        yield backend.card
    finally:
        del torch.Tensor.data
        backend.card = None


def _set_data(tensor: Tensor, content: Tensor) -> None:
    """`tensor.data = content` from one device to the other, which torch does between the devices that it knows."""
    if tensor.device != content.device and NAME in (tensor.device.type, content.device.type):
        torch._C._swap_tensor_impl(tensor, content.detach())  # pyright: ignore[reportAttributeAccessIssue]
    else:
        DATA.__set__(tensor, content)


# ------------------------------------------------------------------------------------------------ what torch is told


@lru_cache(maxsize=1)
def _backend() -> _Backend:
    """A process registers its private device once and for all. While there is no card, it says that it is not available."""
    return _Backend()


class Stream:
    """A stream beside the one that computes. Copies that are begun on it are made when somebody waits for it, and not before: until then
    there are no numbers where they go, and what they are copies of must stay as it is.
    """

    def __init__(self, device: object = None) -> None:
        self._begun: list[tuple[Tensor, Tensor]] = []

    def begin(self, target: Tensor, source: Tensor) -> None:
        target.fill_(float("nan") if target.is_floating_point() else 0)
        self._begun.append((target, source))

    def wait_stream(self, other: Stream) -> None:
        with torch.inference_mode():  # some of them may have been made in it
            for target, source in other._begun:
                target.copy_(_on_host(source))
        other._begun.clear()


class _Backend:
    """All operators of the device."""

    def __init__(self) -> None:
        self.card: Card | None = None
        self.main = Stream()  # what computes
        self.stream: Stream | None = None  # what is asked instead, within a block
        backend_registration._setup_privateuseone_for_python_backend(NAME, _Module(self), _Hooks(self))
        self._all, self._aten = torch.library.Library("_", "IMPL"), torch.library.Library("aten", "IMPL")
        self._all.fallback(self._run, "PrivateUse1")
        self._aten.impl("_copy_from", self._copy, "PrivateUse1")
        for name, operator in OWN.items():
            self._aten.impl(name, partial(self._run, operator), "PrivateUse1")

    @property
    def there(self) -> Card:
        if self.card is None:
            raise RuntimeError("There is no pretended card here.")
        return self.card

    def _run(self, operator: OpOverload, *args: Any, **kwargs: Any) -> Any:
        """Any operator, on the host's views of what it is given; what it gives is the card's."""
        name, views, card = operator.overloadpacket.__name__, _Views(operator), self.there
        given, named = views.of(args), {key: views.of(value) for key, value in kwargs.items()}
        if name in WAITED_FOR or (name == "_index_put_impl_" and _has_mask(args[1])):
            card.waited.append(name)
        result = _summed(operator, given, named) if name in SUMS and views.half else operator(*given, **named)
        if name == "scaled_dot_product_attention" and card.flawed and torch.backends.cuda.flash_sdp_enabled():
            result.fill_(float("nan"))
        if isinstance(result, tuple | list):
            return type(result)(self._kept(views, part) for part in result)
        return self._kept(views, result)

    def _kept(self, views: _Views, result: Any) -> Any:
        """A result as the card's: an argument that was written to, a view of one, or something new, which takes memory."""
        if not isinstance(result, Tensor):
            return result
        argument, owner = views.argument(result), views.owner(result)
        if argument is not None and argument.shape == result.shape:
            return argument
        if argument is None and owner is not None:
            with torch.inference_mode(owner.is_inference()):  # a view is of the same make as what it is a view of
                return _relabelled(result, ON_CARD)
        self.there.hold(result.untyped_storage())
        kept = _relabelled(result, ON_CARD)
        if argument is None:
            return kept
        DATA.__set__(argument, kept)  # it was to be given the room that the result takes
        return argument

    def _copy(self, source: Tensor, target: Tensor, non_blocking: bool = False) -> Tensor:
        """After a copy to the card torch waits for it, unless it is told not to; for one to the host in any case."""
        if target.device == HOST or (source.device == HOST and not non_blocking):
            self.there.waited.append(f"copy to the {'host' if target.device == HOST else 'card'}")
        if self.stream is not None and non_blocking and target.device != HOST:
            self.stream.begin(_on_host(target), source)
        else:
            _on_host(target).copy_(_on_host(source))
        return target


class _Module:
    """`torch.card`: what torch and others ask of a device by its name."""

    def __init__(self, backend: _Backend) -> None:
        self._backend = backend

    def is_available(self) -> bool:
        return self._backend.card is not None

    def is_initialized(self) -> bool:
        return True

    def _is_in_bad_fork(self) -> bool:
        return False

    def current_device(self) -> int:
        return 0

    def device_count(self) -> int:
        return 1

    def manual_seed_all(self, seed: int) -> None:
        """Nothing is drawn on it."""

    Stream = Stream

    def current_stream(self, device: object = None) -> Stream:
        return self._backend.stream or self._backend.main

    @contextmanager
    def stream(self, stream: Stream) -> Iterator[None]:
        self._backend.stream = stream
        try:
            yield
        finally:
            self._backend.stream = None

    def mem_get_info(self, device: object = None) -> tuple[int, int]:
        """Bytes that are free, and all of them. Only of a card whose memory ends."""
        card = self._backend.there
        return int(card.memory) - card.bytes, int(card.memory)

    def empty_cache(self) -> None:
        """It keeps none."""


class _Hooks(torch._C._acc.PrivateUse1Hooks):  # pyright: ignore[reportAttributeAccessIssue]
    def __init__(self, backend: _Backend) -> None:
        super().__init__()
        self._backend = backend

    def is_available(self) -> bool:
        return self._backend.card is not None

    def has_primary_context(self, dev_id: int) -> bool:
        return True

    def is_built(self) -> bool:
        return True


# ------------------------------------------------------------------------------------------------ kernels


PLAIN = {int, float, bool, type(None), str, torch.dtype, torch.layout, torch.memory_format}  # most of what operators are given


class _Views:
    """The host's views of what one operator is given. Raises `RuntimeError` for what a real card would refuse."""

    def __init__(self, operator: OpOverload) -> None:
        self._operator = operator
        self._pairs: list[tuple[Tensor, Tensor]] = []

    def of(self, value: Any) -> Any:
        if type(value) in PLAIN:
            return value
        if isinstance(value, Tensor):
            return self._view(value)
        if isinstance(value, tuple | list):
            return type(value)(self.of(part) for part in value)
        if isinstance(value, torch.Generator) and value.device == HOST:
            raise RuntimeError(f"Expected a '{NAME}' device type for generator but found 'cpu'")
        return HOST if isinstance(value, torch.device) and value.type == NAME else value

    def _view(self, tensor: Tensor) -> Tensor:
        if tensor.device == HOST:
            if tensor.ndim:
                raise RuntimeError(f"Expected all tensors to be on the same device, but {self._operator} found some on cpu and on {NAME}")
            return tensor
        view = next((view for known, view in self._pairs if known is tensor), None)
        if view is None:
            view = _on_host(tensor) if tensor.numel() else torch.empty_like(tensor, device=HOST)  # which may grow
            self._pairs.append((tensor, view))
        return view

    @property
    def half(self) -> bool:
        return any(view.dtype == torch.float16 for _, view in self._pairs)

    def argument(self, result: Tensor) -> Tensor | None:
        """What the operator was given as this, to be written to."""
        return next((known for known, view in self._pairs if view is result), None)

    def owner(self, result: Tensor) -> Tensor | None:
        """The argument whose numbers the result shows."""
        place = result.untyped_storage()._cdata
        return next((known for known, view in self._pairs if view.untyped_storage()._cdata == place), None)


def _summed(operator: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Sums of numbers in half precision: added up in float32, rounded once."""
    out = kwargs.pop("out", None)
    computes = operator if out is None else operator.overloadpacket.default
    result = computes(*(_wide(value) for value in args), **{name: _wide(value) for name, value in kwargs.items()})
    if out is not None:
        return out.copy_(result)
    return tuple(map(_narrow, result)) if isinstance(result, tuple) else _narrow(result)


def _wide(value: Any) -> Any:
    return value.float() if isinstance(value, Tensor) and value.dtype == torch.float16 else value


def _narrow(result: Tensor) -> Tensor:
    return result.half()


def _has_mask(indices: Any) -> bool:
    return any(isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8) for index in indices)


# ------------------------------------------------------------------------------------------------ one memory, two names

ON_HOST, ON_CARD = 1, 12  # kDLCPU, kDLExtDev
_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))


class _DLTensor(ctypes.Structure):
    """The head of what libraries hand each other as a tensor: dlpack.h, version 0.8 (https://dmlc.github.io/dlpack)."""

    _fields_ = [("data", ctypes.c_void_p), ("device_type", ctypes.c_int32), ("device_id", ctypes.c_int32)]


def _on_host(tensor: Tensor) -> Tensor:
    return tensor if tensor.device == HOST else _relabelled(tensor, ON_HOST)


def _relabelled(tensor: Tensor, place: int) -> Tensor:
    """The same numbers as a tensor that says it is there. Nothing is copied; they live as long as either."""
    capsule = torch._C._to_dlpack(tensor)  # pyright: ignore[reportAttributeAccessIssue]
    inside = _DLTensor.from_address(_pointer(capsule, b"dltensor"))
    inside.device_type, inside.device_id = place, 0
    return torch._C._from_dlpack(capsule)  # pyright: ignore[reportAttributeAccessIssue]
